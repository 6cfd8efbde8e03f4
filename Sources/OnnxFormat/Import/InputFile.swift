import Glibc
import TensorCore

/// A regular file that is open for reading; its size is that at opening.
final class InputFile {
  let byteCount: Int
  /// Names of the file's content; 1 where no other path leads to it.
  let linkCount: Int
  private let descriptor: CInt
  private let name: String

  /// Takes over `descriptor`.
  ///
  /// - Throws: `missing-input` where it is not a regular file.
  init(descriptor: CInt, name: String) throws(ModelError) {
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw ModelError(.missingInput, "'\(name)' is not a regular file")
    }
    self.descriptor = descriptor
    self.name = name
    byteCount = Int(status.st_size)
    linkCount = Int(status.st_nlink)
  }

  convenience init(path: String) throws(ModelError) {
    // Without O_NONBLOCK, opening a named pipe would wait for a writer.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      throw ModelError(
        errno == ENOENT ? .missingInput : .inputOutput,
        "cannot open '\(path)': \(String(cString: strerror(errno)))")
    }
    try self.init(descriptor: descriptor, name: path)
  }

  deinit { close(descriptor) }

  /// Fills `buffer` from the bytes at `offset`.
  ///
  /// - Throws: `input-output` where the file ends before or cannot be read.
  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(ModelError) {
    var done = 0
    while done < buffer.count {
      let wanted = min(buffer.count - done, 1 << 30)
      let count = pread(descriptor, buffer.baseAddress! + done, wanted, off_t(offset + done))
      if count < 0, errno == EINTR { continue }
      guard count > 0 else {
        let reason = count < 0 ? String(cString: strerror(errno)) : "it became shorter"
        throw ModelError(.inputOutput, "cannot read '\(name)': \(reason)")
      }
      done += count
    }
  }

  /// The whole content.
  ///
  /// - Throws: `limit-exceeded` above `limit` bytes.
  func contents(limit: Int) throws(ModelError) -> [UInt8] {
    guard byteCount <= limit else {
      throw ModelError(
        .limitExceeded, "'\(name)' has \(byteCount) bytes; at most \(limit) are read")
    }
    var failure: ModelError?
    let bytes = [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
      do throws(ModelError) {
        try read(at: 0, into: UnsafeMutableRawBufferPointer(buffer))
        count = byteCount
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return bytes
  }

  static func contents(path: String, limit: Int) throws(ModelError) -> [UInt8] {
    try InputFile(path: path).contents(limit: limit)
  }
}
