import Foundation
import ModelIR
import ModelOperators
import TensorCore
import Testing

@testable import ModelBundle

@Suite struct WeightCodingTests {
  @Test func everyDistributionIsThatOfTheDocument() {
    for number in 0..<WeightDistribution.count {
      let signed = WeightDistribution(number).signed
      #expect(signed == PlainWeights.frequencies(number), "\(number)")
      #expect(signed.reduce(0, +) == 1 << 14)
      #expect(signed.allSatisfy { $0 >= (number < 128 ? 0 : 1) })
    }
  }

  @Test func logarithmsAndPowersAreThoseOfTwo() {
    for number in 1...16384 {
      let exact = log2(Double(number)) * 65536
      #expect(abs(Double(BinaryFraction.logarithm(number)) - exact) < 3, "\(number)")
    }
    for x in stride(from: 0, to: 32 << 16, by: 997) {
      let exact = exp2(30 - Double(x) / 65536)
      #expect(abs(Double(BinaryFraction.halved(by: x)) - exact) <= 1 + exact * 1e-7, "\(x)")
    }
  }

  func coded(
    _ tensors: [Tensor], _ turns: WeightCoder.Turns
  ) throws -> (bytes: [UInt8], read: [UInt8]) {
    let bytes = try WeightCoder.encode(tensors, turns)
    var read = [UInt8](repeating: 0xAA, count: tensors.reduce(0) { $0 + $1.byteCount })
    try bytes.withUnsafeBufferPointer { (stored) throws(ModelError) in
      try read.withUnsafeMutableBufferPointer { (content) throws(ModelError) in
        try WeightCoder.decode(
          UnsafeRawBufferPointer(stored), tensors.map(\.shape), turns,
          into: UnsafeMutableRawBufferPointer(content))
      }
    }
    return (bytes, read)
  }

  @Test(
    arguments: [
      [0], [1], [3, 0, 2], [7], [8], [9], [5, 4], [2, 3, 4], [1, 1, 1], [300, 2], [3, 700],
    ], WeightCoder.Turns.allCases)
  func everyShapeReadsBack(dimensions: [Int], turns: WeightCoder.Turns) throws {
    let shape = try Shape(dimensions)
    for axis in [nil] + shape.dimensions.indices.map(Optional.some) {
      let parameters = axis.map {
        QuantizationParameters(
          perChannel: [Float](repeating: 1, count: max(shape[$0], 1)), axis: $0)
      }
      if let axis, shape[axis] == 0 { continue }
      let tensor = Tensor(
        shape, (0..<shape.count).map { Int8(truncatingIfNeeded: $0 &* 37) },
        quantization: parameters)
      let whole = Tensor(shape, [Int8](repeating: -128, count: shape.count))
      let (bytes, read) = try coded([tensor, whole, tensor], turns)
      #expect(read == Array(tensor.bytes) + Array(whole.bytes) + Array(tensor.bytes))
      let plain = try PlainWeights.read(
        bytes, [dimensions, dimensions, dimensions], many: turns == .byChannel)
      #expect([UInt8](plain) == read)
    }
  }

  /// A bell of 20 steps has log₂(20 √(2πe)) = 6.37 bits.
  @Test(arguments: WeightCoder.Turns.allCases)
  func aBellTakesTheBitsThatItHas(turns: WeightCoder.Turns) throws {
    var numbers = RepeatableNumbers(seed: 1)
    let values = (0..<60_000).map { _ in
      let radius = (-2 * log(1 - numbers.fraction())).squareRoot()
      let normal = radius * cos(2 * .pi * numbers.fraction())
      return Int8(clamping: Int((normal * 20).rounded()))
    }
    let shape = try Shape([20, 3000])
    let parameters = QuantizationParameters(perChannel: [Float](repeating: 1, count: 20), axis: 0)
    let (bytes, _) = try coded([Tensor(shape, values, quantization: parameters)], turns)
    let bits = Double(bytes.count) * 8 / 60_000
    #expect(bits < 6.41, "\(bits)")
  }

  @Test func weightsAreCodedAndFloatsAreInPlanes() throws {
    let bytes = try Sample.writer().bytes(of: try Sample.coded())
    let reader = try BundleReader(bytes: bytes)
    #expect(reader.version == 3)
    let codings = Set(reader.header.sections.filter { $0.kind == .tensors }.map(\.coding))
    #expect(codings.isSuperset(of: [.rans, .planes]))
    let contents = try reader.contents(operators: Sample.operators)
    expectSame(try Sample.coded(), contents)
    #expect(try Sample.writer().bytes(of: contents) == bytes)
    var joined = try Sample.coded()
    joined.graphs += try Sample.joined().graphs
    joined.join = try Sample.joined().join.map {
      BundleJoin(
        family: $0.family, parts: [.init(graph: "main", role: "main")] + $0.parts,
        links: $0.links, settings: $0.settings)
    }
    let both = try BundleReader(bytes: try Sample.writer().bytes(of: joined))
    #expect(both.version == 3)
    expectSame(joined, try both.contents(operators: Sample.operators))
  }

  @Test func manyWeightsHaveManyStates() throws {
    let bytes = try Sample.writer(newestVersion: 6).bytes(of: try Sample.coded())
    let reader = try BundleReader(bytes: bytes)
    #expect(reader.version == 6)
    for section in reader.header.sections where [.rans, .lanes].contains(section.coding) {
      #expect((section.coding == .lanes) == (section.byteCount >= WeightCoder.manyWeights))
    }
    #expect(reader.header.sections.contains { $0.coding == .lanes })
    expectSame(try Sample.coded(), try reader.contents(operators: Sample.operators))
  }
}
