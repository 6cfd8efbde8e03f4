import Foundation
import ModelIR
import ModelOperators
import Testing

/// What `formats/operators.md` says that each operator reads, against its importers and ONNX's own list.
@Suite struct VersionTests {
  static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../..").standardized

  static func text(_ path: String) throws -> String {
    try String(contentsOf: root.appending(path: path), encoding: .utf8)
  }

  static func lines(_ path: String) throws -> [String] {
    try text(path).split(separator: "\n").map(String.init).filter { !$0.hasPrefix("#") }
  }

  /// The sections of `formats/operators.md` by heading.
  static func sections() throws -> [String: String] {
    var sections: [String: String] = [:]
    for part in try text("formats/operators.md").components(separatedBy: "\n## ").dropFirst() {
      let heading = String(part.prefix { $0 != "\n" })
      #expect(sections.updateValue(part, forKey: heading) == nil, "two sections '\(heading)'")
    }
    return sections
  }

  /// The sentences after `**Versions**`, without line breaks.
  static func versions(_ section: String) -> [String] {
    guard let start = section.range(of: "**Versions** ") else { return [] }
    return section[start.upperBound...].split(separator: "\n\n").prefix(1).joined()
      .replacingOccurrences(of: "\n", with: " ").trimmingCharacters(in: .whitespaces)
      .components(separatedBy: ". ").map { $0.hasSuffix(".") ? String($0.dropLast()) : $0 }
  }

  /// The opsets that changed each of ONNX's own operators, and those that took one away.
  static func standard() throws -> [String: (changes: [Int], end: Int?)] {
    var standard: [String: (changes: [Int], end: Int?)] = [:]
    for line in try lines("golden/conformance/onnx-operators.txt") {
      let words = line.split(separator: " ")
      let numbers = try words.dropFirst().map { try #require(Int($0)) }
      standard[String(words[0].dropLast())] = (
        numbers.filter { $0 > 0 }, numbers.first { $0 < 0 }.map { -$0 }
      )
    }
    return standard
  }

  @Test func everyOperatorHasItsSectionAndEverySectionItsOperator() throws {
    let headings = Set(try Self.sections().keys).subtracting(["Rules for all"])
    #expect(headings == Set(allOperators.map { $0.name }))
  }

  @Test func sectionsNameTheVersionsThatAreRead() throws {
    let sections = try Self.sections()
    for op in importableOperators {
      let read = op.readVersions.map(\.description)
      let told = Self.versions(sections[op.name] ?? "").map {
        String($0.prefix { $0 != ":" })
      }
      #expect(Set(told) == Set(read), "section \(op.name)")
      #expect(told.count == read.count, "section \(op.name)")
    }
  }

  @Test func sectionsSayWhatEachVersionChanged() throws {
    let (sections, standard) = (try Self.sections(), try Self.standard())
    for op in importableOperators {
      let told = Self.versions(sections[op.name] ?? "")
      for read in op.readVersions where read.domain.isEmpty {
        guard let (changes, _) = standard[read.kind] else { continue }
        let sentence = told.first { $0.hasPrefix("\(read)") } ?? ""
        let parts = sentence.drop { $0 != ":" }.dropFirst().split(separator: ";")
        let named = parts.compactMap { part in part.split(separator: " ").first.flatMap { Int($0) }
        }
        let expected = changes.filter {
          $0 > read.versions.lowerBound && $0 <= read.versions.upperBound
        }
        #expect(named == expected, "\(read) in section \(op.name)")
      }
    }
  }

  /// Kinds of ONNX's own domain that are no operators of it: exporters' fusions.
  static let fusions: Set = ["SimplifiedLayerNormalization"]

  @Test func everyStandardOperatorIsReadOrListedWithItsReason() throws {
    let standard = try Self.standard()
    let list = try Self.lines("golden/conformance/unsupported-operators.txt")
    #expect(list == list.sorted())
    let unsupported = Set(list.map { String($0.prefix { $0 != ":" }) })
    #expect(list.allSatisfy { $0.contains(": ") })
    var read: [String: [ClosedRange<Int>]] = [:]
    for op in importableOperators {
      for versions in op.readVersions where versions.domain.isEmpty {
        read[versions.kind, default: []].append(versions.versions)
      }
    }
    // The importer takes constants itself.
    let kinds = Set(read.keys).subtracting(Self.fusions).union(["Constant"])
    #expect(Set(standard.keys).subtracting(kinds) == unsupported)
    #expect(kinds.subtracting(standard.keys).isEmpty)
    for (kind, ranges) in read {
      guard let (changes, end) = standard[kind] else { continue }
      let last = end.map { $0 - 1 } ?? newestOpset
      #expect(ranges.contains { $0.upperBound == last }, "\(kind) is read up to \(ranges)")
      #expect(ranges.allSatisfy { $0.lowerBound >= changes[0] }, "\(kind) is older than ONNX's")
    }
  }

  @Test func theReadmeCountsTheOperators() throws {
    #expect(try Self.text("README.md").contains("\(allOperators.count) operators"))
  }
}
