import Foundation
import Testing

/// Files of `golden/media`, and the arrays of their `.npz` sets.
enum Golden {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../golden/media").standardized

  static func path(_ name: String) -> String { folder.appending(path: name).path() }

  /// Float32 or int64 members of an `.npz` whose members are stored; elements in C order.
  static func arrays(_ name: String) throws -> [String: [Double]] {
    let bytes = [UInt8](try Data(contentsOf: folder.appending(path: name)))
    func number(_ offset: Int, _ count: Int) -> Int {
      (0..<count).reduce(0) { $0 | Int(bytes[offset + $1]) << (8 * $1) }
    }
    // The central directory knows every size, whatever the local headers leave out.
    let tail = try #require(
      (0..<bytes.count - 21).last { number($0, 4) == 0x0605_4B50 })
    var entry = number(tail + 16, 4)
    var arrays: [String: [Double]] = [:]
    for _ in 0..<number(tail + 10, 2) {
      try #require(number(entry, 4) == 0x0201_4B50 && number(entry + 10, 2) == 0)
      let size = number(entry + 20, 4)
      let nameLength = number(entry + 28, 2)
      let member = String(decoding: bytes[entry + 46..<entry + 46 + nameLength], as: UTF8.self)
      let local = number(entry + 42, 4)
      let start = local + 30 + number(local + 26, 2) + number(local + 28, 2)
      arrays[String(member.dropLast(4))] = try array(bytes[start..<start + size])
      entry += 46 + nameLength + number(entry + 30, 2) + number(entry + 32, 2)
    }
    return arrays
  }

  private static func array(_ bytes: ArraySlice<UInt8>) throws -> [Double] {
    let start = bytes.startIndex
    let headerLength = Int(bytes[start + 8]) | Int(bytes[start + 9]) << 8
    let header = String(decoding: bytes[start + 10..<start + 10 + headerLength], as: UTF8.self)
    let data = Array(bytes[(start + 10 + headerLength)...])
    let values: [Double] = try data.withUnsafeBytes { raw in
      if header.contains("<f4") {
        return (0..<data.count / 4).map {
          Double(raw.loadUnaligned(fromByteOffset: $0 * 4, as: Float.self))
        }
      }
      try #require(header.contains("<i8"))
      return (0..<data.count / 8).map {
        Double(raw.loadUnaligned(fromByteOffset: $0 * 8, as: Int64.self))
      }
    }
    guard header.contains("'fortran_order': True") else { return values }
    let open = try #require(header.firstIndex(of: "("))
    let close = try #require(header.firstIndex(of: ")"))
    let shape = header[header.index(after: open)..<close].split(separator: ",").compactMap {
      Int($0.drop { $0 == " " })
    }
    var ordered = values
    for index in values.indices {
      var (rest, position, stride) = (index, 0, values.count)
      for extent in shape.reversed() {
        stride /= extent
        position += rest % extent * stride
        rest /= extent
      }
      ordered[index] = values[position]
    }
    return ordered
  }
}

/// A folder that goes when the test ends.
struct Scratch: ~Copyable {
  let folder: URL

  init() throws {
    folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  func path(_ name: String) -> String { folder.appending(path: name).path() }

  func write(_ bytes: [UInt8], _ name: String) throws -> String {
    try Data(bytes).write(to: folder.appending(path: name))
    return path(name)
  }
}
