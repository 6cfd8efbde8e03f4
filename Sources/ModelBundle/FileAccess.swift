import Foundation
import TensorCore

/// Whole files, read safely.
package enum FileAccess {
  /// Every byte of a regular file.
  ///
  /// - Throws: what ``OpenFile`` throws; `limit-exceeded` for one of more than `limit` bytes.
  package static func read(_ path: String, limit: Int = 16 << 30) throws(ModelError) -> [UInt8] {
    let file = try OpenFile(path)
    guard file.count <= limit else {
      throw ModelError(.limitExceeded, "\(path) has \(file.count) bytes; \(limit) at most")
    }
    return try file.bytes(0..<file.count)
  }

  fileprivate static func reason() -> String { String(cString: strerror(errno)) }
}

/// A regular file that is read where its bytes are wanted, from any thread.
final class OpenFile: Sendable {
  let path: String
  /// Bytes that it had when it was opened.
  let count: Int
  private let descriptor: Int32

  /// - Throws: `missing-input`; `input-output` where it is no regular file.
  init(_ path: String) throws(ModelError) {
    // O_NONBLOCK: a named pipe must not hold the open up before it is refused.
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard file >= 0 else {
      throw ModelError(
        errno == ENOENT || errno == ENOTDIR ? .missingInput : .inputOutput,
        "cannot open \(path): \(FileAccess.reason())")
    }
    var status = stat()
    let isKnown = fstat(file, &status) == 0
    guard isKnown, status.st_mode & S_IFMT == S_IFREG else {
      let reason = isKnown ? "\(path) is not a regular file" : "cannot examine \(path)"
      close(file)
      throw ModelError(.inputOutput, reason)
    }
    self.path = path
    count = Int(status.st_size)
    descriptor = file
  }

  deinit { close(descriptor) }

  /// - Throws: `input-output` where reading fails, or the file has become shorter.
  func bytes(_ range: Range<Int>) throws(ModelError) -> [UInt8] {
    var failure: ModelError?
    let bytes = [UInt8](unsafeUninitializedCapacity: range.count) { buffer, count in
      do throws(ModelError) {
        try read(range, into: UnsafeMutableRawBufferPointer(buffer))
        count = range.count
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return bytes
  }

  /// Fills the first bytes of `buffer`, which has as many as `range` or more.
  ///
  /// - Throws: as ``bytes(_:)``.
  func read(_ range: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) throws(ModelError) {
    precondition(buffer.count >= range.count)
    var done = 0
    while done < range.count {
      let got = pread(
        descriptor, buffer.baseAddress.map { $0 + done }, range.count - done,
        off_t(range.lowerBound + done))
      if got < 0, errno == EINTR { continue }
      guard got > 0 else {
        throw ModelError(
          .inputOutput,
          got == 0 ? "\(path) became shorter" : "reading \(path): \(FileAccess.reason())")
      }
      done += got
    }
  }
}
