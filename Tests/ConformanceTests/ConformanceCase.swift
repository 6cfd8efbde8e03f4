import Foundation
import ModelIR
import ModelPasses
import ModelVerification
import OnnxFormat
import TensorCore

enum Outcome: Sendable {
  case passed
  case failed(String)
}

/// One test of ONNX's own suite: a model, inputs, and the outputs that it must give.
struct ConformanceCase: Sendable {
  /// As in the lists of `golden/conformance`: `kind/name`.
  let name: String
  let folder: URL

  /// What the suite says of a case.
  private struct Facts: Decodable {
    let relative: Double
    let absolute: Double
    let bfloat16Relative: Double
    let subject: String

    private enum CodingKeys: String, CodingKey {
      case relative = "rtol"
      case absolute = "atol"
      case bfloat16Relative = "bfloat16_rtol"
      case subject = "operator"
    }
  }

  private func facts() throws -> Facts {
    try JSONDecoder().decode(
      Facts.self, from: Data(contentsOf: folder.appending(path: "case.json")))
  }

  /// The operator that the case is about, or a kind of models in parentheses.
  var subject: String { (try? facts())?.subject ?? "(unknown)" }

  /// What becomes of the case on each executor that runs it.
  func outcomes() -> [Executor: Outcome] {
    let executors = Executor.allCases.filter { $0.runs(name) }
    let graph: Graph
    let sets: [TestDataSet]
    let facts: Facts
    do {
      graph = try OnnxReader().graph(path: folder.appending(path: "model.onnx").path())
      sets = try dataSets(graph)
      facts = try self.facts()
    } catch {
      let reason = ConformanceCase.line("\(error)")
      return Dictionary(uniqueKeysWithValues: executors.map { ($0, .failed(reason)) })
    }
    var outcomes: [Executor: Outcome] = [:]
    var planned: [[Tensor]] = []
    for executor in executors {
      // What no pass changes would only run by its references again.
      if executor == .optimised, let known = outcomes[.reference], ConformanceCase.isOptimal(graph)
      {
        outcomes[executor] = known
        continue
      }
      do {
        let made = try sets.map { (set) throws(ModelError) in
          try executor.run(graph, set.inputs.map(\.tensor))
        }
        if executor == .planned { planned = made }
        let difference =
          executor == .bundle
          ? ConformanceCase.otherBytes(made, planned)
          : zip(made, sets).lazy.compactMap { compare($0, $1, facts) }.first
        outcomes[executor] = difference.map { .failed($0) } ?? passed(executor, outcomes)
      } catch {
        outcomes[executor] = .failed(ConformanceCase.line("\(error)"))
      }
    }
    return outcomes
  }

  /// A bundle that gives what the plan gives fails with the plan.
  private func passed(_ executor: Executor, _ outcomes: [Executor: Outcome]) -> Outcome {
    executor == .bundle ? outcomes[.planned] ?? .passed : .passed
  }

  private static func isOptimal(_ graph: Graph) -> Bool {
    var rewrites = 0
    do {
      _ = try Pipeline.portable.run(on: graph) { (step, _) throws(ModelError) in
        rewrites += step.rewrites
      }
    } catch {
      return false
    }
    return rewrites == 0
  }

  /// What differs where results have to be the same to the last bit.
  private static func otherBytes(_ made: [[Tensor]], _ planned: [[Tensor]]) -> String? {
    for (made, planned) in zip(made, planned) {
      for (index, pair) in zip(made, planned).enumerated() where pair.0 != pair.1 {
        return "output \(index) has other bytes after a bundle"
      }
    }
    return made.count == planned.count ? nil : "the plan does not run"
  }

  private func dataSets(_ graph: Graph) throws(ModelError) -> [TestDataSet] {
    var sets: [TestDataSet] = []
    while true {
      let data = folder.appending(path: "test_data_set_\(sets.count)").path()
      guard FileManager.default.fileExists(atPath: data) else { break }
      sets.append(try TestDataSet(folder: data, for: graph))
    }
    guard !sets.isEmpty else { throw ModelError(.missingInput, "'\(name)' has no data") }
    return sets
  }

  private func compare(
    _ outputs: [Tensor], _ set: TestDataSet, _ facts: Facts
  ) -> String? {
    for (index, expected) in set.outputs.enumerated() {
      let relative =
        expected.tensor.element == .bfloat16 ? facts.bfloat16Relative : facts.relative
      let exact = !expected.tensor.element.isFloatingPoint
      let comparison = Comparison(
        expected.name, index < outputs.count ? outputs[index] : nil, against: expected.tensor,
        within: exact
          ? .exact : Tolerance(absolute: facts.absolute, relative: relative))
      guard comparison.passed else {
        if let problem = comparison.problem { return "\(expected.name): \(problem)" }
        let worst = comparison.worst.map { "\($0.actual) instead of \($0.expected)" } ?? ""
        return "\(expected.name): \(comparison.outside) elements differ: \(worst)"
      }
    }
    return nil
  }

  /// The part of an error that says what is wrong, without what to do about it.
  private static func line(_ text: String) -> String {
    String(text.prefix { $0 != "\n" && $0 != ";" })
  }
}
