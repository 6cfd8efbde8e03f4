import CZlib
import TensorCore

/// Named arrays in NumPy's `.npz` format: a zip archive of `.npy` files.
package enum NumpyArchive {
  /// The arrays in the order of the archive.
  package static func read(
    path: String, limits: ImportLimits = ImportLimits()
  ) throws(ModelError) -> [(name: String, tensor: Tensor)] {
    let name = path.split(separator: "/").last.map(String.init) ?? path
    return try during("reading archive '\(name)'") { () throws(ModelError) in
      try read(bytes: try InputFile.contents(path: path, limit: limits.fileBytes), limits: limits)
    }
  }

  package static func read(
    bytes: [UInt8], limits: ImportLimits = ImportLimits()
  ) throws(ModelError) -> [(name: String, tensor: Tensor)] {
    let archive = try ZipReader(bytes, limits: limits)
    return try archive.entries.map { (entry) throws(ModelError) in
      guard entry.name.hasSuffix(".npy") else {
        throw ModelError(.malformedInput, "entry '\(entry.name)' is not an array")
      }
      let tensor = try during("reading array '\(entry.name)'") { () throws(ModelError) in
        try NumpyArray.read(bytes: try archive.content(of: entry))
      }
      return (String(entry.name.dropLast(4)), tensor)
    }
  }

  /// Writes the arrays uncompressed; the same arrays give the same bytes.
  ///
  /// - Throws: `limit-exceeded` for 4 GiB and more.
  package static func write(
    _ arrays: [(name: String, tensor: Tensor)], path: String
  ) throws(ModelError) {
    try NewFile.write(try bytes(of: arrays), to: path)
  }

  package static func bytes(
    of arrays: [(name: String, tensor: Tensor)]
  ) throws(ModelError) -> [UInt8] {
    var archive: [UInt8] = []
    var directory: [UInt8] = []
    for (name, tensor) in arrays {
      let content = NumpyArray.bytes(of: tensor)
      guard archive.count + content.count < 0xFFFF_0000, arrays.count < 0xFFFF else {
        throw ModelError(.limitExceeded, "an archive of 4 GiB and more cannot be written")
      }
      let checksum = content.withUnsafeBufferPointer { crc32_z(0, $0.baseAddress, $0.count) }
      let file = Array("\(name).npy".utf8)
      // Version 2.0, no flags, stored, 1 January 1980.
      var common: [UInt8] = [20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0]
      common.number(Int(checksum), 4)
      common.number(content.count, 4)
      common.number(content.count, 4)
      common.number(file.count, 2)
      common.number(0, 2)
      directory += [0x50, 0x4B, 1, 2, 20, 0] + common
      directory += [UInt8](repeating: 0, count: 10)
      directory.number(archive.count, 4)
      directory += file
      archive += [0x50, 0x4B, 3, 4] + common + file + content
    }
    let start = archive.count
    archive += directory
    archive += [0x50, 0x4B, 5, 6, 0, 0, 0, 0]
    archive.number(arrays.count, 2)
    archive.number(arrays.count, 2)
    archive.number(directory.count, 4)
    archive.number(start, 4)
    archive.number(0, 2)
    return archive
  }
}

extension [UInt8] {
  fileprivate mutating func number(_ value: Int, _ count: Int) {
    for byte in 0..<count { append(UInt8(truncatingIfNeeded: value >> (8 * byte))) }
  }
}
