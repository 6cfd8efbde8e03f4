import Crypto
import TensorCore

/// A SHA-256 of bytes; 64 lower-case hexadecimal digits in text.
package struct Digest: Sendable, Hashable, CustomStringConvertible {
  package let bytes: [UInt8]

  package init(of content: UnsafeRawBufferPointer) {
    var hash = SHA256()
    hash.update(bufferPointer: content)
    bytes = Array(hash.finalize())
  }

  package init(of content: [UInt8]) {
    self = content.withUnsafeBytes { Digest(of: $0) }
  }

  /// A digest that a file states.
  ///
  /// - Precondition: 32 bytes.
  init(stated bytes: [UInt8]) {
    precondition(bytes.count == SHA256.byteCount)
    self.bytes = bytes
  }

  /// The digest of a tensor's elements.
  package init(of tensor: Tensor) { self.init(of: tensor.bytes) }

  package init?(_ text: String) {
    guard text.utf8.count == 64, let bytes = [UInt8](hexadecimal: text) else { return nil }
    self.bytes = bytes
  }

  package var description: String { bytes.hexadecimal }
}

extension [UInt8] {
  var hexadecimal: String {
    let digits = Array("0123456789abcdef".utf8)
    return String(
      decoding: flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }

  /// Bytes from lower-case hexadecimal digits.
  init?(hexadecimal text: String) {
    let digits = Array(text.utf8)
    guard digits.count.isMultiple(of: 2) else { return nil }
    var bytes: [UInt8] = []
    for index in stride(from: 0, to: digits.count, by: 2) {
      guard let high = Self.digit(digits[index]), let low = Self.digit(digits[index + 1]) else {
        return nil
      }
      bytes.append(high << 4 | low)
    }
    self = bytes
  }

  private static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 48...57: byte - 48
    case 97...102: byte - 87
    default: nil
    }
  }
}
