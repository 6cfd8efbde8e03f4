import Foundation
import ModelBundle
import TensorCore

/// What sounds when: phones, each with the second at which it ends.
struct PhoneTimings {
  let phones: [String]
  let ends: [Double]

  /// Lines of a second and a phone; lines that begin with `#` are passed over.
  ///
  /// - Throws: `malformed-input` for another line, or a phone that ends before it begins.
  init(_ path: String) throws(ModelError) {
    let bytes = try FileAccess.read(path)
    guard bytes.count <= 1 << 24, let text = String(validating: bytes, as: UTF8.self) else {
      throw ModelError(.malformedInput, "'\(path)' is no text of phones")
    }
    var (phones, ends): ([String], [Double]) = ([], [])
    for (index, line) in text.split(whereSeparator: \.isNewline).enumerated()
    where !line.hasPrefix("#") {
      let parts = line.split(whereSeparator: \.isWhitespace)
      guard parts.count == 2, let end = Double(parts[0]), end.isFinite, end >= ends.last ?? 0 else {
        throw ModelError(
          .malformedInput,
          "line \(index + 1) of '\(path)' is not the second at which a phone ends, and the phone")
      }
      phones.append(String(parts[1]))
      ends.append(end)
    }
    guard !phones.isEmpty else { throw ModelError(.malformedInput, "'\(path)' has no phones") }
    self.phones = phones
    self.ends = ends
  }

  /// Of the video that memories are addressed for.
  static let framesPerSecond = 25.0

  /// The phone of each of `count` video frames, at its middle, without stress.
  func labels(_ count: Int) -> [String] {
    (0..<count).map { frame in
      let time = (Double(frame) + 0.5) / PhoneTimings.framesPerSecond
      let index = ends.firstIndex { $0 > time } ?? phones.count - 1
      return String(phones[index].prefix { !$0.isNumber })
    }
  }
}
