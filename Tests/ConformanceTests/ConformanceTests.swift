import Foundation
import Synchronization
import Testing

/// Committed lists of cases.
enum CaseGroup: String, CaseIterable, Sendable {
  /// What every implementation of the standard is measured by.
  case core
  /// Windows, bits, transforms and functions that the core list leaves out.
  case extra
  /// The rest of the suite.
  case other

  var names: [String] {
    get throws { try ConformanceTests.lines("golden/conformance/onnx-\(rawValue)-tests.txt") }
  }
}

/// ONNX's own tests, against the known gaps and the totals of `golden/conformance`.
@Suite struct ConformanceTests {
  static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../..").standardized
  static let data = root.appending(path: ".cache/conformance")

  /// Where a run leaves the failures and the totals it saw, in the form of the committed ones.
  static let failures = root.appending(path: ".cache/conformance-failures.txt")
  static let totals = root.appending(path: ".cache/conformance-totals.txt")

  /// Lists of `case: reason` or `case [executor]: reason`, sorted; `#` starts a comment.
  static let gapLists = [
    "golden/conformance/known-gaps.txt", "golden/conformance/known-gaps-other.txt",
  ]

  struct Gap: Hashable {
    let name: String
    let executor: Executor
  }

  static func lines(_ path: String) throws -> [String] {
    try String(contentsOf: root.appending(path: path), encoding: .utf8)
      .split(separator: "\n").map(String.init).filter { !$0.hasPrefix("#") }
  }

  static func gaps() throws -> Set<Gap> {
    var gaps: Set<Gap> = []
    for line in try gapLists.flatMap({ try lines($0) }) {
      let head = line.prefix { $0 != ":" }
      let parts = head.split(separator: " ")
      let name = String(parts[0])
      if parts.count == 1 {
        for executor in Executor.allCases where executor.runs(name) {
          gaps.insert(Gap(name: name, executor: executor))
        }
      } else {
        let executor = try #require(Executor(rawValue: String(parts[1].dropFirst().dropLast())))
        gaps.insert(Gap(name: name, executor: executor))
      }
    }
    return gaps
  }

  @Test func theListsOfGapsAreSortedAndNameCases() throws {
    let cases = Set(try CaseGroup.allCases.flatMap { try $0.names })
    for list in Self.gapLists {
      let gaps = try ConformanceTests.lines(list)
      #expect(gaps == gaps.sorted())
    }
    for gap in try ConformanceTests.gaps() {
      #expect(cases.contains(gap.name), "\(gap.name) is not a case")
    }
  }

  @Test func noCaseIsInTwoGroups() throws {
    let names = try CaseGroup.allCases.flatMap { try $0.names }
    #expect(Set(names).count == names.count)
    #expect(try CaseGroup.allCases.map { try $0.names.count } == [1553, 94, 389])
  }

  @Test func everyCasePassesOrIsAKnownGap() async throws {
    try #require(
      FileManager.default.fileExists(atPath: ConformanceTests.data.path()),
      "the cases are not in .cache/conformance: run scripts/conformance-data first")
    var totals = ConformanceTotals()
    var all: [(name: String, outcomes: [Executor: Outcome])] = []
    let gaps = try ConformanceTests.gaps()
    for group in CaseGroup.allCases {
      let cases = try group.names.map {
        ConformanceCase(name: $0, folder: ConformanceTests.data.appending(path: $0))
      }
      let results = await ConformanceTests.results(of: cases)
      for (item, (name, outcomes)) in zip(cases, results) {
        totals.count(item, in: group, outcomes)
        for (executor, outcome) in outcomes {
          let isGap = gaps.contains(Gap(name: name, executor: executor))
          switch outcome {
          case .passed:
            if isGap {
              Issue.record("\(name) passes on \(executor); take it off the known gaps")
            }
          case .failed(let reason):
            if !isGap { Issue.record("\(name) [\(executor)]: \(reason)") }
          }
        }
      }
      all += results
    }
    try ConformanceTests.report(all).write(
      to: ConformanceTests.failures, atomically: true, encoding: .utf8)
    try totals.text.write(to: ConformanceTests.totals, atomically: true, encoding: .utf8)
    for line in totals.sums { print("conformance: \(line)") }
    #if DEBUG
      let committed = try String(
        contentsOf: Self.root.appending(path: "golden/conformance/totals.txt"), encoding: .utf8)
      #expect(
        committed == totals.text,
        "golden/conformance/totals.txt is not what ran; scripts/conformance --record writes it")
    #endif
  }

  /// Runs the cases on all cores, and keeps their order.
  static func results(
    of cases: [ConformanceCase]
  ) async -> [(name: String, outcomes: [Executor: Outcome])] {
    let next = Atomic<Int>(0)
    let times = Mutex<[(Double, String)]>([])
    let made = Mutex<[Int: [Executor: Outcome]]>([:])
    DispatchQueue.concurrentPerform(iterations: ProcessInfo.processInfo.activeProcessorCount) { _ in
      while true {
        let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
        guard index < cases.count else { break }
        let start = ContinuousClock.now
        let outcomes = cases[index].outcomes()
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        times.withLock { $0.append((seconds, cases[index].name)) }
        made.withLock { $0[index] = outcomes }
      }
    }
    for (seconds, name) in times.withLock({ $0 }).sorted(by: >).prefix(10) {
      print("conformance: \(seconds) s for \(name)")
    }
    let all = made.withLock { $0 }
    return cases.indices.map { (cases[$0].name, all[$0] ?? [:]) }
  }

  /// A line for each failure, as the list of gaps has them.
  static func report(_ results: [(name: String, outcomes: [Executor: Outcome])]) -> String {
    var lines: [String] = []
    for (name, outcomes) in results {
      let failed = Executor.allCases.compactMap { executor -> (Executor, String)? in
        guard case .failed(let reason) = outcomes[executor] else { return nil }
        return (executor, reason)
      }
      if failed.count == outcomes.count, let (_, reason) = failed.first {
        lines.append("\(name): \(reason)")
      } else {
        lines += failed.map { "\(name) [\($0)]: \($1)" }
      }
    }
    return lines.sorted().joined(separator: "\n") + "\n"
  }
}
