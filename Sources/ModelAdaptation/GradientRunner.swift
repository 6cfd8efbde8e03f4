import ModelIR
import ModelKernels
import ModelPasses
import ModelRuntime
import TensorCore

/// Runs a graph with the gradients of its loss by some of its inputs. For each set of shapes the backward graph
/// is derived and planned once and kept.
package struct GradientRunner: ~Copyable {
  /// What one run gives.
  package struct Step: Sendable {
    package let loss: Double
    /// By the parameters, in their order.
    package let gradients: [[Float]]
    /// The outputs besides the loss, by name.
    package let outputs: [String: Tensor]
  }

  private let graph: Graph
  private let loss: String
  private let parameters: [String]
  private let options: PlanOptions
  private let pool: ThreadPool
  private var plans = RecentPlans<Holder<ModelRunner>>(limit: 2)

  /// - Parameters:
  ///   - loss: the output that is one number.
  ///   - parameters: inputs of `graph`.
  package init(
    _ graph: Graph, loss: String, by parameters: [String], options: PlanOptions = PlanOptions()
  ) {
    self.graph = graph
    self.loss = loss
    self.parameters = parameters
    self.options = options
    pool = ThreadPool(threads: options.threads)
  }

  /// - Parameters:
  ///   - inputs: every input of the graph by name, parameters included.
  package mutating func run(_ inputs: [String: Tensor]) throws(ModelError) -> Step {
    let tensors = try graph.inputs.map { (port) throws(ModelError) in
      guard let tensor = inputs[port.name] else {
        throw ModelError(.missingInput, "input '\(port.name)' is missing")
      }
      return tensor
    }
    let held = try prepare(tensors)
    let results = try held.content.run(tensors)
    var outputs: [String: Tensor] = [:]
    for (port, tensor) in zip(held.content.graph.outputs, results) { outputs[port.name] = tensor }
    let value = outputs.removeValue(forKey: loss)?.doubles().first ?? .nan
    let gradients = try parameters.map { (name) throws(ModelError) in
      guard let tensor = outputs.removeValue(forKey: Graph.gradientName(of: name)) else {
        throw ModelError(.invalidGraph, "there is no gradient of '\(name)'")
      }
      return tensor.floats()
    }
    return Step(loss: value, gradients: gradients, outputs: outputs)
  }

  /// Bytes of the plan for these inputs.
  package mutating func arenaByteCount(_ inputs: [String: Tensor]) throws(ModelError) -> Int {
    let tensors = graph.inputs.compactMap { inputs[$0.name] }
    return try prepare(tensors).content.plan(tensors)?.arenaByteCount ?? 0
  }

  private mutating func prepare(_ tensors: [Tensor]) throws(ModelError) -> Holder<ModelRunner> {
    try graph.bind(tensors)
    let types = tensors.map(\.type)
    if let found = plans.plan(for: types) { return found }
    let concrete = try graph.specialised(to: types)
    let backward = try Pipeline([Rewriting(FuseResidualAdd())]).run(
      on: concrete.differentiated(loss, by: parameters))
    let held = Holder(ModelRunner(backward, options: options, pool: pool))
    plans.keep(held, for: types)
    return held
  }
}

extension Graph {
  /// The same graph for inputs of concrete types, with shape arithmetic folded away.
  func specialised(to types: [TensorType]) throws(ModelError) -> Graph {
    let concrete = try rebuilt(inputTypes: types) { (_, _, _) throws(ModelError) in nil }
    return try Pipeline([Rewriting(FoldShapeArithmetic()), Rewriting(FoldConstants())]).run(
      on: concrete)
  }
}
