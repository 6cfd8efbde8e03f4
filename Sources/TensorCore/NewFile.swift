import Foundation

/// A file that takes its name once all of it is written; what has the name until then keeps it, and nothing stays
/// of one that is not finished.
package final class NewFile {
  /// Where it grows: beside its place, under a name that nothing else has.
  package let sibling: String
  private let path: String
  /// What gets the name: where `path` leads if it is a link.
  private let place: String
  private let descriptor: Int32
  private var isDone = false

  /// - Throws: `cannot-create` where the folder does not let it, or where something other than a regular file
  ///   has the name.
  package init(_ path: String) throws(ModelError) {
    self.path = path
    place = try NewFile.place(of: path)
    (sibling, descriptor) = try NewFile.createSibling(of: place, for: path)
  }

  deinit {
    close(descriptor)
    if !isDone { unlink(sibling) }
  }

  /// Puts `bytes` at `path`.
  package static func write(_ bytes: [UInt8], to path: String) throws(ModelError) {
    let file = try NewFile(path)
    try file.append(bytes)
    try file.finish()
  }

  private func append(_ bytes: [UInt8]) throws(ModelError) {
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes { buffer in
        Foundation.write(descriptor, buffer.baseAddress.map { $0 + done }, bytes.count - done)
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else {
        throw ModelError(.inputOutput, "writing '\(path)': \(NewFile.reason())")
      }
      done += count
    }
  }

  /// Puts the file in its place, on disk.
  ///
  /// - Throws: `input-output` where it does not reach the disk, `cannot-create` where it cannot have the name.
  package func finish() throws(ModelError) {
    guard fsync(descriptor) == 0 else {
      throw ModelError(.inputOutput, "syncing '\(path)': \(NewFile.reason())")
    }
    guard rename(sibling, place) == 0 else {
      throw NewFile.refusal(path, NewFile.reason())
    }
    isDone = true
    // The name is on disk once its folder is; file systems that cannot sync folders say so.
    let handle = open(NewFile.parts(of: place).folder, O_RDONLY | O_CLOEXEC | O_DIRECTORY)
    if handle >= 0 {
      fsync(handle)
      close(handle)
    }
  }

  /// - Throws: `cannot-create` for what exists and is no regular file: a device or a pipe would be gone.
  private static func place(of path: String) throws(ModelError) -> String {
    guard !path.isEmpty else { throw refusal(path, "a file has a name") }
    var status = stat()
    guard lstat(path, &status) == 0 else { return path }
    if status.st_mode & S_IFMT == S_IFREG { return path }
    guard stat(path, &status) == 0, let target = realpath(path, nil) else {
      throw refusal(path, reason())
    }
    defer { free(target) }
    switch status.st_mode & S_IFMT {
    case S_IFREG: return String(cString: target)
    case S_IFDIR: throw refusal(path, "it is a folder")
    default: throw refusal(path, "it is not a regular file")
    }
  }

  private static func parts(of path: String) -> (folder: String, name: Substring) {
    guard let slash = path.lastIndex(of: "/") else { return ("./", path[...]) }
    return (String(path[...slash]), path[path.index(after: slash)...])
  }

  private static func createSibling(
    of place: String, for path: String
  ) throws(ModelError) -> (path: String, file: Int32) {
    let (folder, name) = parts(of: place)
    for _ in 0..<16 {
      let tag = String(UInt64.random(in: 0 ... .max), radix: 36)
      let sibling = "\(folder).\(name.prefix(48)).\(tag)"
      let file = open(sibling, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o644)
      if file >= 0 { return (sibling, file) }
      guard errno == EEXIST else { throw refusal(path, reason()) }
    }
    throw refusal(path, "every name beside it is taken")
  }

  private static func refusal(_ path: String, _ reason: String) -> ModelError {
    ModelError(.cannotCreate, "cannot create '\(path)': \(reason)")
  }

  private static func reason() -> String { String(cString: strerror(errno)) }
}
