import ModelIR
import TensorCore
import Testing

@testable import ModelBundle

/// Weights that have a divisor in common in each group (`B53`).
@Suite struct GroupCodingTests {
  private func coded(_ tensors: [Tensor]) throws -> (bytes: [UInt8], read: [UInt8])? {
    guard let bytes = try GroupCoder.encode(tensors) else { return nil }
    var read = [UInt8](repeating: 0xAA, count: tensors.reduce(0) { $0 + $1.byteCount })
    try bytes.withUnsafeBufferPointer { (stored) throws(ModelError) in
      try read.withUnsafeMutableBufferPointer { (content) throws(ModelError) in
        try GroupCoder.decode(
          UnsafeRawBufferPointer(stored), tensors.map(\.shape),
          into: UnsafeMutableRawBufferPointer(content))
      }
    }
    return (bytes, read)
  }

  @Test(arguments: [[7], [16], [17], [5, 4], [4, 40], [2, 3, 4], [3, 0, 2], [40, 2, 20]])
  func everyShapeReadsBack(dimensions: [Int]) throws {
    let shape = try Shape(dimensions)
    for axis in [nil] + shape.dimensions.indices.map(Optional.some) {
      if let axis, shape[axis] == 0 { continue }
      let parameters = axis.map {
        QuantizationParameters(perChannel: [Float](repeating: 1, count: shape[$0]), axis: $0)
      }
      let tensor = Tensor(
        shape, (0..<shape.count).map { Int8(($0 * 37 % 15 - 7) * 18) }, quantization: parameters)
      let least = Tensor(shape, [Int8](repeating: -128, count: shape.count))
      guard let (bytes, read) = try coded([tensor, least, tensor]) else {
        #expect(shape.count == 0)
        continue
      }
      #expect(read == Array(tensor.bytes) + Array(least.bytes) + Array(tensor.bytes))
      let plain = try PlainWeights.readGroups(bytes, [dimensions, dimensions, dimensions])
      #expect([UInt8](plain) == read)
    }
  }

  @Test func weightsWithNothingInCommonHaveNoGroups() throws {
    let shape = try Shape([8, 100])
    let values = (0..<800).map { Int8(truncatingIfNeeded: $0 &* 37) }
    #expect(try coded([Tensor(shape, values)]) == nil)
  }

  /// Quotients of −7…7 have less than four bits, and a multiplier of eight serves 32 of them.
  @Test func fourBitsTakeFour() throws {
    let bytes = try Sample.writer(codedBytes: 0).bytes(of: try Sample.grouped())
    let reader = try BundleReader(bytes: bytes)
    #expect(reader.version == 4)
    let section = try #require(reader.header.sections.first { $0.coding == .groups })
    #expect(Double(section.storedByteCount) * 8 < 4.6 * Double(section.byteCount))
    let contents = try reader.contents(operators: Sample.operators)
    expectSame(try Sample.grouped(), contents)
    #expect(try Sample.writer(codedBytes: 0).bytes(of: contents) == bytes)
  }
}
