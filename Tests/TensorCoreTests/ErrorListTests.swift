import Foundation
import Testing

/// `formats/errors.md` and the codes of `ModelError` are the same list.
@Test func everyErrorCodeIsDocumentedAndBack() throws {
  let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..")
    .standardized
  let source = try String(
    contentsOf: root.appending(path: "Sources/TensorCore/ModelError.swift"), encoding: .utf8)
  let document = try String(
    contentsOf: root.appending(path: "formats/errors.md"), encoding: .utf8)
  let codes = source.matches(of: /Code\(rawValue: "([a-z-]+)"\)/).map { String($0.1) }
  let rows = document.matches(of: /\| `([a-z-]+)` \| ([0-9]+) \| \S/)
  #expect(!codes.isEmpty)
  #expect(codes.sorted() == rows.map { String($0.1) }.sorted())
  #expect(Set(rows.map { String($0.2) }) == ["64", "65", "66", "73", "74"])
}
