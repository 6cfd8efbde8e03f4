import Foundation
import OnnxFormat
import TensorCore
import Testing

@Suite struct TensorFileTests {
  static func sample(_ element: ElementType) throws -> Tensor {
    let values: [Int64] = element == .bool ? [0, 1, 1, 0, 1, 0] : [0, 1, 2, 3, 6, 7]
    return Tensor(element, try Shape([3, 2]), integers: values)
  }

  @Test(arguments: ElementType.allCases)
  func protobufTensorsReadBack(element: ElementType) throws {
    let tensor = try TensorFileTests.sample(element)
    let (name, read) = try TensorFile.read(bytes: TensorFile.bytes(of: tensor, named: "t"))
    #expect(name == "t")
    #expect(read == tensor)
  }

  @Test func fourBitIntegersAreSigned() throws {
    let tensor = Tensor(.int4, try Shape([3]), integers: [-8, -1, 7])
    let (_, read) = try TensorFile.read(bytes: TensorFile.bytes(of: tensor, named: ""))
    #expect(read.integers() == [-8, -1, 7])
  }

  @Test(arguments: ElementType.allCases)
  func arraysReadBack(element: ElementType) throws {
    let tensor = try TensorFileTests.sample(element)
    let read = try NumpyArray.read(bytes: NumpyArray.bytes(of: tensor)[...])
    #expect(read.shape == tensor.shape)
    #expect(read.doubles() == tensor.doubles())
  }

  @Test func arraysInColumnOrderAreTransposed() throws {
    var text = "{'descr': '<i2', 'fortran_order': True, 'shape': (2, 3), }"
    text += String(repeating: " ", count: 128 - 11 - text.utf8.count) + "\n"
    let bytes: [UInt8] =
      [0x93] + Array("NUMPY".utf8) + [1, 0, 118, 0] + Array(text.utf8)
      + [1, 0, 4, 0, 2, 0, 5, 0, 3, 0, 6, 0]
    let tensor = try NumpyArray.read(bytes: bytes[...])
    #expect(tensor.shape.dimensions == [2, 3])
    #expect(tensor.integers() == [1, 2, 3, 4, 5, 6])
  }

  @Test func archivesReadBackAndAreStable() throws {
    let arrays = [
      ("first", try TensorFileTests.sample(.float32)), ("scalar", Tensor(scalar: Int64(-5))),
    ]
    let bytes = try NumpyArchive.bytes(of: arrays)
    let read = try NumpyArchive.read(bytes: bytes)
    #expect(read.map(\.name) == ["first", "scalar"])
    #expect(read.map(\.tensor) == arrays.map(\.1))
    #expect(try NumpyArchive.bytes(of: arrays) == bytes)
  }

  /// Written by NumPy itself, deflated and stored.
  @Test(arguments: ["face-64.npz", "resampling/cards_001.npz"])
  func archivesOfNumPyAreRead(name: String) throws {
    let path = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../golden/media/\(name)").standardized.path()
    let arrays = try NumpyArchive.read(path: path)
    #expect(!arrays.isEmpty)
    #expect(arrays.allSatisfy { $0.tensor.count > 0 })
  }

  static func code(_ read: () throws -> Void) -> ModelError.Code? {
    (#expect(throws: ModelError.self) { try read() })?.code
  }

  @Test func damagedArraysAreRefused() throws {
    let good = NumpyArray.bytes(of: try TensorFileTests.sample(.float32))
    for length in 0..<good.count {
      #expect(
        TensorFileTests.code { _ = try NumpyArray.read(bytes: good[..<length]) }
          == .malformedInput)
    }
    let text = String(decoding: good[10..<128], as: UTF8.self)
    func changed(_ from: String, _ to: String) -> [UInt8] {
      Array(good[..<10]) + Array(text.replacingOccurrences(of: from, with: to).utf8)
        + Array(good[128...])
    }
    #expect(
      TensorFileTests.code { _ = try NumpyArray.read(bytes: changed("<f4", ">f4")[...]) }
        == .unsupportedFeature)
    #expect(
      TensorFileTests.code { _ = try NumpyArray.read(bytes: changed("(3, 2)", "(3,-2)")[...]) }
        == .invalidValue)
    #expect(
      TensorFileTests.code { _ = try NumpyArray.read(bytes: changed("(3, 2)", "(9, 9)")[...]) }
        == .malformedInput)
  }

  @Test func damagedArchivesAreRefused() throws {
    let good = try NumpyArchive.bytes(of: [("a", try TensorFileTests.sample(.int32))])
    #expect(TensorFileTests.code { _ = try NumpyArchive.read(bytes: []) } == .malformedInput)
    var damaged = good
    damaged[60] ^= 1
    #expect(TensorFileTests.code { _ = try NumpyArchive.read(bytes: damaged) } == .integrityFailure)
    for index in good.indices {
      for value in [0, 0x7F, 0xFF] as [UInt8] {
        var damaged = good
        damaged[index] = value
        _ = try? NumpyArchive.read(bytes: damaged)
      }
    }
    for length in 0..<good.count { _ = try? NumpyArchive.read(bytes: Array(good[..<length])) }
    var limits = ImportLimits()
    limits.archiveBytes = 20
    #expect(
      TensorFileTests.code { _ = try NumpyArchive.read(bytes: good, limits: limits) }
        == .limitExceeded)
    let twice = try NumpyArchive.bytes(of: [
      ("a", Tensor(scalar: Float(0))), ("a", Tensor(scalar: Float(1))),
    ])
    #expect(TensorFileTests.code { _ = try NumpyArchive.read(bytes: twice) } == .malformedInput)
  }
}
