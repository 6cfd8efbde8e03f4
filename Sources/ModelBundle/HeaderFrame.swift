import TensorCore

/// What the frame of a header holds from version 5 on: the header, and after it the contents of sections that are no
/// tensors, so that names which they share with each other are stored once (`B70`).
struct HeaderFrame {
  /// Contents beyond have frames of their own.
  static let contentLimit = 1 << 20
  private static let lengthBytes = 4

  let header: [UInt8]
  /// Of the sections of coding ``SectionCoding/header``, in their order.
  let contents: [UInt8]

  init(header: [UInt8], contents: [UInt8]) {
    (self.header, self.contents) = (header, contents)
  }

  init(_ bytes: [UInt8], version: Int) throws(ModelError) {
    guard version >= 5 else {
      self.init(header: bytes, contents: [])
      return
    }
    guard bytes.count >= Self.lengthBytes else {
      throw ModelError(.malformedInput, "B70: a header of \(bytes.count) bytes")
    }
    let length = bytes[..<Self.lengthBytes].reversed().reduce(0) { $0 << 8 | Int($1) }
    guard length <= bytes.count - Self.lengthBytes else {
      throw ModelError(
        .malformedInput, "B70: a header of \(length) of \(bytes.count - Self.lengthBytes) bytes")
    }
    let end = Self.lengthBytes + length
    self.init(header: Array(bytes[Self.lengthBytes..<end]), contents: Array(bytes[end...]))
  }

  /// What is compressed.
  func bytes(version: Int) -> [UInt8] {
    guard version >= 5 else { return header }
    let length = (0..<Self.lengthBytes).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) }
    return length + header + contents
  }
}
