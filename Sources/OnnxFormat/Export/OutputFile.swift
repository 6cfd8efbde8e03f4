import Glibc
import TensorCore

/// Writes whole files: all of the new content is there under the name, or the old content still is.
enum OutputFile {
  /// Writes the parts one after another to a temporary sibling, which then takes the name.
  ///
  /// - Throws: `cannot-create` where the folder does not let it, `input-output` where writing fails.
  static func write(_ parts: [UnsafeRawBufferPointer], path: String) throws(ModelError) {
    let temporary = "\(path).partial-\(getpid())"
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o644)
    guard descriptor >= 0 else {
      throw ModelError(
        .cannotCreate, "cannot create '\(path)': \(String(cString: strerror(errno)))")
    }
    do throws(ModelError) {
      for part in parts { try write(part, to: descriptor, path: path) }
      guard fsync(descriptor) == 0, close(descriptor) == 0 else {
        throw failure(path)
      }
    } catch {
      unlink(temporary)
      throw error
    }
    guard rename(temporary, path) == 0 else {
      let error = failure(path)
      unlink(temporary)
      throw error
    }
  }

  static func write(_ bytes: [UInt8], path: String) throws(ModelError) {
    try bytes.withRaw { (raw) throws(ModelError) in try write([raw], path: path) }
  }

  private static func write(
    _ bytes: UnsafeRawBufferPointer, to descriptor: CInt, path: String
  ) throws(ModelError) {
    var rest = bytes
    while !rest.isEmpty {
      let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else {
        let error = failure(path)
        close(descriptor)
        throw error
      }
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }
  }

  private static func failure(_ path: String) -> ModelError {
    ModelError(.inputOutput, "cannot write '\(path)': \(String(cString: strerror(errno)))")
  }
}
