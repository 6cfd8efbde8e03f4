import ModelIR
import ModelRuntime
import TensorCore

/// Finds the first rewrite of a pipeline after which a graph no longer computes what it did.
package struct Bisection: Sendable {
  /// The guilty rewrite.
  package struct Finding: Sendable, Hashable {
    package let pass: String
    /// The node that was rewritten.
    package let node: String
    /// Its number in the order of rewrites, from 1.
    package let number: Int
    /// What is wrong: how far the outputs are off, or the error that the rewrite caused.
    package let problem: String
  }

  package let pipeline: Pipeline
  /// How far an output may be from that of the graph as it was given.
  package let tolerance: Tolerance

  package init(_ pipeline: Pipeline, within tolerance: Tolerance) {
    self.pipeline = pipeline
    self.tolerance = tolerance
  }

  /// Searches by halving the number of rewrites made, running each half-optimised graph by reference.
  ///
  /// - Returns: nil where the whole pipeline keeps the outputs.
  package func find(in graph: Graph, on inputs: [Tensor]) throws(ModelError) -> Finding? {
    let expected = try ReferenceExecutor(graph).run(inputs)
    func problem(after rewrites: Int) -> String? {
      do {
        let changed = try pipeline.run(on: graph, stopAfter: rewrites)
        return difference(try ReferenceExecutor(changed).run(inputs), expected, of: graph)
      } catch {
        return error.description
      }
    }
    guard var found = problem(after: .max) else { return nil }
    var made = 0
    do {
      _ = try pipeline.run(on: graph) { (step, _) throws(ModelError) in made += step.rewrites }
    } catch {
      // The rewrite that throws is the one after those that were observed, at the latest the last of its pass.
      made += graph.nodes.count
    }
    var (good, bad) = (0, max(made, 1))
    while bad - good > 1 {
      let middle = (good + bad) / 2
      if let problem = problem(after: middle) {
        (bad, found) = (middle, problem)
      } else {
        good = middle
      }
    }
    var (pass, node) = ("", "")
    _ = try? pipeline.run(on: graph, stopAfter: bad) { (step, _) throws(ModelError) in
      (pass, node) = (step.pass, step.sites.last ?? "")
    }
    return Finding(pass: pass, node: node, number: bad, problem: found)
  }

  /// Describes the worst output that is not within the tolerance.
  private func difference(
    _ actual: [Tensor], _ expected: [Tensor], of graph: Graph
  ) -> String? {
    let failures = graph.outputs.indices.map {
      Comparison(graph.outputs[$0].name, actual[$0], against: expected[$0], within: tolerance)
    }.filter { !$0.passed }
    guard let worst = failures.max(by: { $0.outside < $1.outside }) else { return nil }
    let problem = worst.problem ?? "\(worst.outside) elements are not within \(tolerance)"
    return "output '\(worst.name)': \(problem)"
  }
}
