import TensorCore

/// The first 64 bytes of a bundle (`B2`…`B5`).
struct BundlePreamble {
  static let byteCount = 64
  static let magic: [UInt8] = [0x89, 0x4D, 0x41, 0x51, 0x0D, 0x0A, 0x1A, 0x0A]
  /// Without and with a join (`B22`), with codings (`B27`), with groups of weights (`B53`), with texts beside the
  /// header (`B70`), and with many weights at a time (`B80`).
  static let versions = 1...6
  /// A public key and a signature.
  static let signatureByteCount = 96

  let version: Int
  var isSigned: Bool
  let headerByteCount: Int
  let fileByteCount: Int
  let headerDigest: Digest

  var bytes: [UInt8] {
    func little(_ value: Int, _ count: Int) -> [UInt8] {
      (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
    return BundlePreamble.magic + little(version, 4) + little(isSigned ? 1 : 0, 4)
      + little(headerByteCount, 8) + little(fileByteCount, 8) + headerDigest.bytes
  }

  init(version: Int, isSigned: Bool, header: [UInt8], contentByteCount: Int) {
    self.version = version
    self.isSigned = isSigned
    headerByteCount = header.count
    headerDigest = Digest(of: header)
    fileByteCount =
      BundlePreamble.byteCount + header.count + contentByteCount
      + (isSigned ? BundlePreamble.signatureByteCount : 0)
  }

  /// Checks everything but the header's own content.
  ///
  /// - Parameter bytes: the first of the file, as many as a preamble has unless the file is shorter.
  init(_ bytes: [UInt8], fileByteCount: Int, limits: BundleLimits) throws(ModelError) {
    func little(_ range: Range<Int>) -> UInt64 {
      range.reversed().reduce(0) { $0 << 8 | UInt64(bytes[$1]) }
    }
    guard bytes.count == BundlePreamble.byteCount else {
      throw ModelError(.malformedInput, "B2: \(bytes.count) bytes are too few for a bundle")
    }
    guard bytes.starts(with: BundlePreamble.magic) else {
      throw ModelError(.malformedInput, "B2: not a bundle")
    }
    version = Int(little(8..<12))
    guard BundlePreamble.versions.contains(version) else {
      throw ModelError(
        .unsupportedFeature,
        "B3: bundle version \(version); versions 1 to \(BundlePreamble.versions.upperBound) are known"
      )
    }
    guard little(12..<16) <= 1 else {
      throw ModelError(
        .unsupportedFeature, "B3: flags \(little(12..<16)) that version \(version) lacks")
    }
    isSigned = little(12..<16) == 1
    guard little(24..<32) == UInt64(fileByteCount) else {
      throw ModelError(
        .malformedInput,
        "B4: the bundle has \(little(24..<32)) bytes and the file \(fileByteCount)")
    }
    self.fileByteCount = fileByteCount
    guard little(16..<24) <= UInt64(limits.headerBytes) else {
      throw ModelError(
        .limitExceeded, "B20: a header of \(little(16..<24)) bytes; \(limits.headerBytes) at most")
    }
    headerByteCount = Int(little(16..<24))
    let rest = fileByteCount - BundlePreamble.byteCount - headerByteCount
    guard rest >= (isSigned ? BundlePreamble.signatureByteCount : 0) else {
      throw ModelError(.malformedInput, "B4: the header is longer than the file")
    }
    headerDigest = Digest(stated: Array(bytes[32..<64]))
  }

  /// - Throws: `integrity-failure` for another header than the one that the preamble is of.
  func check(header: [UInt8]) throws(ModelError) {
    guard Digest(of: header) == headerDigest else {
      throw ModelError(.integrityFailure, "B5: the header does not have the preamble's digest")
    }
  }
}
