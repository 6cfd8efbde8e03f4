import Crypto
import Foundation
import TensorCore

/// Ed25519 over the preamble (`B18`), which holds the digest of the header, which holds those of all else.
enum BundleSignatureBlock {
  static let context = Array("Maquette bundle 1\0".utf8)

  /// Public key and signature.
  static func sign(_ preamble: [UInt8], with key: SigningKey) throws(ModelError) -> [UInt8] {
    do {
      return key.verifyingKey.bytes + (try key.key.signature(for: context + preamble))
    } catch {
      throw ModelError(.invalidValue, "signing failed: \(error)")
    }
  }

  static func verify(_ block: [UInt8], of preamble: [UInt8]) throws(ModelError) -> VerifyingKey {
    guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: block[..<32]),
      key.isValidSignature(block[32...], for: context + preamble)
    else { throw ModelError(.integrityFailure, "B18: the signature is not valid") }
    return VerifyingKey(bytes: Array(block[..<32]))
  }
}

/// A private Ed25519 key.
package struct SigningKey: Sendable {
  let key: Curve25519.Signing.PrivateKey

  package var verifyingKey: VerifyingKey {
    VerifyingKey(bytes: Array(key.publicKey.rawRepresentation))
  }

  /// A new random key.
  package init() { key = Curve25519.Signing.PrivateKey() }

  /// From the text of a key file: PEM as `openssl genpkey -algorithm ed25519` writes it, or 64
  /// hexadecimal digits.
  ///
  /// - Throws: `malformed-input`; the text is not part of the message.
  package init(text: String) throws(ModelError) {
    let seed = try KeyText.bytes(
      of: text, label: "PRIVATE KEY",
      prefix: [
        0x30, 0x2E, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x04, 0x22, 0x04,
        0x20,
      ])
    guard let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: seed) else {
      throw ModelError(.malformedInput, "not an Ed25519 private key")
    }
    self.key = key
  }

  /// The seed as 64 hexadecimal digits.
  package var text: String { Array(key.rawRepresentation).hexadecimal + "\n" }
}

/// A public Ed25519 key; its text is 64 hexadecimal digits.
package struct VerifyingKey: Sendable, Hashable, CustomStringConvertible {
  package let bytes: [UInt8]

  init(bytes: [UInt8]) { self.bytes = bytes }

  /// From the text of a key file: PEM (`BEGIN PUBLIC KEY`) or 64 hexadecimal digits.
  package init(text: String) throws(ModelError) {
    bytes = try KeyText.bytes(
      of: text, label: "PUBLIC KEY",
      prefix: [0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00])
  }

  package var description: String { bytes.hexadecimal }
}

private enum KeyText {
  /// 32 bytes from hexadecimal digits or from PEM whose DER is `prefix` and the bytes.
  static func bytes(
    of text: String, label: String, prefix: [UInt8]
  ) throws(ModelError) -> [UInt8] {
    let lines = text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    if let bytes = [UInt8](hexadecimal: lines.lowercased()), bytes.count == 32 { return bytes }
    let begin = "-----BEGIN \(label)----- "
    let end = " -----END \(label)-----"
    guard lines.hasPrefix(begin), lines.hasSuffix(end), lines.count > begin.count + end.count,
      let der = Data(
        base64Encoded: String(
          lines.dropFirst(begin.count).dropLast(end.count).filter { $0 != " " })),
      der.count == prefix.count + 32, der.starts(with: prefix)
    else {
      throw ModelError(
        .malformedInput, "not an Ed25519 key: neither PEM (\(label)) nor 64 hexadecimal digits")
    }
    return [UInt8](der.suffix(32))
  }
}
