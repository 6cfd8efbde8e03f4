import Foundation
import ModelIR
import ModelPasses
import ModelRuntime
import ModelVerification
import OnnxFormat
import TensorCore

/// What runs the cases.
enum Executor: String, CaseIterable, Sendable {
  case reference, planned
  /// The reference, after the passes that every converted model goes through.
  case optimised

  func run(_ graph: Graph, _ inputs: [Tensor]) throws(ModelError) -> [Tensor] {
    switch self {
    case .reference: return try ReferenceExecutor(graph).run(inputs)
    case .planned:
      var runner = ModelRunner(graph)
      return try runner.run(inputs)
    case .optimised: return try ReferenceExecutor(Pipeline.portable.run(on: graph)).run(inputs)
    }
  }

  /// Whole image classifiers are beyond plain loops, and most of them beyond builds that are not
  /// optimised; everything else runs everywhere.
  func runs(_ name: String) -> Bool {
    guard name.hasPrefix("light/") else { return true }
    #if DEBUG
      return self == .planned && name == "light/test_squeezenet"
    #else
      return self == .planned
    #endif
  }
}

enum Outcome: Sendable {
  case passed
  case failed(String)
}

/// One test of ONNX's own suite: a model, inputs, and the outputs that it must give.
struct ConformanceCase: Sendable {
  /// As in `golden/conformance/onnx-core-tests.txt`: `kind/name`.
  let name: String
  let folder: URL

  /// The tolerances of the suite's own runner.
  private struct Tolerances: Decodable {
    let relative: Double
    let absolute: Double
    let bfloat16Relative: Double

    private enum CodingKeys: String, CodingKey {
      case relative = "rtol"
      case absolute = "atol"
      case bfloat16Relative = "bfloat16_rtol"
    }
  }

  /// What becomes of the case on each executor that runs it.
  func outcomes() -> [Executor: Outcome] {
    let executors = Executor.allCases.filter { $0.runs(name) }
    let graph: Graph
    let sets: [TestDataSet]
    let tolerances: Tolerances
    do {
      graph = try OnnxReader().graph(path: folder.appending(path: "model.onnx").path())
      sets = try dataSets(graph)
      tolerances = try JSONDecoder().decode(
        Tolerances.self, from: Data(contentsOf: folder.appending(path: "case.json")))
    } catch {
      let reason = ConformanceCase.line("\(error)")
      return Dictionary(uniqueKeysWithValues: executors.map { ($0, .failed(reason)) })
    }
    var outcomes: [Executor: Outcome] = [:]
    for executor in executors {
      // What no pass changes would only run by its references again.
      if executor == .optimised, let known = outcomes[.reference], ConformanceCase.isOptimal(graph)
      {
        outcomes[executor] = known
        continue
      }
      outcomes[executor] = outcome(on: executor, graph, sets, tolerances)
    }
    return outcomes
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

  private func outcome(
    on executor: Executor, _ graph: Graph, _ sets: [TestDataSet], _ tolerances: Tolerances
  ) -> Outcome {
    do {
      for set in sets {
        let outputs = try executor.run(graph, set.inputs.map(\.tensor))
        if let difference = compare(outputs, set, tolerances) { return .failed(difference) }
      }
      return .passed
    } catch {
      return .failed(ConformanceCase.line("\(error)"))
    }
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
    _ outputs: [Tensor], _ set: TestDataSet, _ tolerances: Tolerances
  ) -> String? {
    for (index, expected) in set.outputs.enumerated() {
      let relative =
        expected.tensor.element == .bfloat16 ? tolerances.bfloat16Relative : tolerances.relative
      let exact = !expected.tensor.element.isFloatingPoint
      let comparison = Comparison(
        expected.name, index < outputs.count ? outputs[index] : nil, against: expected.tensor,
        within: exact
          ? .exact : Tolerance(absolute: tolerances.absolute, relative: relative))
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
