import Foundation

/// Many integers in one text: base64 of their bytes, the lowest of each first.
struct PackedIntegers: Codable {
  let values: [Int64]

  init(_ values: [Int64]) { self.values = values }

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    guard let bytes = Data(base64Encoded: try container.decode(String.self)),
      bytes.count.isMultiple(of: 8)
    else {
      throw DecodingError.dataCorruptedError(
        in: container, debugDescription: "no base64 of integers of 64 bits")
    }
    values = bytes.withUnsafeBytes { bytes in
      stride(from: 0, to: bytes.count, by: 8).map {
        Int64(littleEndian: bytes.loadUnaligned(fromByteOffset: $0, as: Int64.self))
      }
    }
  }

  func encode(to encoder: any Encoder) throws {
    let bytes = values.map(\.littleEndian).withUnsafeBytes { Data($0) }
    var container = encoder.singleValueContainer()
    try container.encode(bytes.base64EncodedString())
  }
}
