import Foundation
import TensorCore

/// Reads whole files and makes folders.
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
