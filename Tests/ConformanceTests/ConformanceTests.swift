import Foundation
import Synchronization
import Testing

/// ONNX's own tests, against `golden/conformance/known-gaps.txt`.
@Suite struct ConformanceTests {
  static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../..").standardized
  static let data = root.appending(path: ".cache/conformance")

  /// Where a run leaves the failures it saw, in the form of the list of gaps.
  static let failures = root.appending(path: ".cache/conformance-failures.txt")

  /// `case: reason` or `case [executor]: reason`, sorted; `#` starts a comment.
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
    for line in try lines("golden/conformance/known-gaps.txt") {
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

  @Test func theListOfGapsIsSortedAndNamesCases() throws {
    let gaps = try ConformanceTests.lines("golden/conformance/known-gaps.txt")
    #expect(gaps == gaps.sorted())
    let cases = Set(try ConformanceTests.lines("golden/conformance/onnx-core-tests.txt"))
    for gap in try ConformanceTests.gaps() {
      #expect(cases.contains(gap.name), "\(gap.name) is not a case")
    }
  }

  @Test func everyCasePassesOrIsAKnownGap() async throws {
    let cases = try ConformanceTests.lines("golden/conformance/onnx-core-tests.txt").map {
      ConformanceCase(name: $0, folder: ConformanceTests.data.appending(path: $0))
    }
    try #require(
      FileManager.default.fileExists(atPath: ConformanceTests.data.path()),
      "the cases are not in .cache/conformance: run scripts/conformance-data first")
    let results = await ConformanceTests.results(of: cases)

    let gaps = try ConformanceTests.gaps()
    var passed: [Executor: Int] = [:]
    var ran: [Executor: Int] = [:]
    for (name, outcomes) in results {
      for (executor, outcome) in outcomes {
        ran[executor, default: 0] += 1
        let gap = Gap(name: name, executor: executor)
        switch outcome {
        case .passed:
          passed[executor, default: 0] += 1
          if gaps.contains(gap) {
            Issue.record("\(name) passes on \(executor); take it off the known gaps")
          }
        case .failed(let reason):
          if !gaps.contains(gap) { Issue.record("\(name) [\(executor)]: \(reason)") }
        }
      }
    }
    for executor in Executor.allCases {
      print(
        "conformance: \(executor) passes \(passed[executor] ?? 0) of \(ran[executor] ?? 0) cases")
    }
    try ConformanceTests.report(results).write(
      to: ConformanceTests.failures, atomically: true, encoding: .utf8)
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
