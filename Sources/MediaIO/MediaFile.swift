import Foundation
import TensorCore

/// Reads and writes whole files; a written file is there completely or not at all.
package enum MediaFile {
  /// - Throws: `missing-input` where there is no such file, `limit-exceeded` above `maximum` bytes.
  package static func read(_ path: String, maximum: Int) throws(ModelError) -> [UInt8] {
    try checkExists(path)
    guard let file = FileHandle(forReadingAtPath: path) else {
      throw ModelError(.inputOutput, "'\(path)' cannot be opened")
    }
    defer { try? file.close() }
    let data: Data
    do { data = try file.read(upToCount: maximum + 1) ?? Data() } catch {
      throw ModelError(.inputOutput, "'\(path)' cannot be read: \(error.localizedDescription)")
    }
    guard data.count <= maximum else {
      throw ModelError(.limitExceeded, "'\(path)' is larger than \(maximum) bytes")
    }
    return [UInt8](data)
  }

  package static func checkExists(_ path: String) throws(ModelError) {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw ModelError(.missingInput, "there is no file '\(path)'")
    }
    guard !isFolder.boolValue else {
      throw ModelError(.missingInput, "'\(path)' is a folder, not a file")
    }
  }

  /// Writes to a sibling, then renames it.
  ///
  /// - Throws: `cannot-create` where the folder is not there or not writable.
  package static func write(_ bytes: [UInt8], to path: String) throws(ModelError) {
    do { try Data(bytes).write(to: URL(filePath: path), options: .atomic) } catch {
      throw ModelError(.cannotCreate, "'\(path)' cannot be written: \(error.localizedDescription)")
    }
  }

  package static func makeFolder(_ path: String) throws(ModelError) {
    do {
      try FileManager.default.createDirectory(
        atPath: path, withIntermediateDirectories: true)
    } catch {
      throw ModelError(
        .cannotCreate, "folder '\(path)' cannot be made: \(error.localizedDescription)")
    }
  }
}
