import ModelIR
import ModelKernels
import ModelRuntime
import TensorCore

/// How a model is run. Results of int8 models never depend on it.
package struct ExecutionOptions: Sendable {
  package let threads: Int
  /// A tier of the integer kernels by name; nil for the widest that this CPU runs.
  package let tier: String?
  /// Plain loops instead of a plan.
  package let reference: Bool

  package init(threads: Int = 1, tier: String? = nil, reference: Bool = false) {
    self.threads = threads
    self.tier = tier
    self.reference = reference
  }

  func planOptions() throws(ModelError) -> PlanOptions {
    guard (1...256).contains(threads) else {
      throw ModelError(.usage, "\(threads) threads: 1 to 256 can be asked for")
    }
    guard let tier else { return PlanOptions(threads: threads) }
    guard let found = KernelTier.available.first(where: { $0.name == tier }) else {
      let names = KernelTier.available.map(\.name).joined(separator: ", ")
      throw ModelError(.usage, "this CPU has no tier '\(tier)'; it has \(names)")
    }
    return PlanOptions(tier: found, threads: threads)
  }
}

/// Runs one graph on tensors by name.
struct Runner: ~Copyable {
  let graph: Graph
  private let reference: Bool
  private var runner: ModelRunner

  init(_ graph: Graph, _ options: ExecutionOptions) throws(ModelError) {
    self.graph = graph
    reference = options.reference
    runner = ModelRunner(graph, options: try options.planOptions())
  }

  var inputNames: [String] { graph.inputs.map(\.name) }

  mutating func run(
    _ inputs: [Tensor], observe: ((ValueID, Tensor) throws(ModelError) -> Void)? = nil
  ) throws(ModelError) -> [Tensor] {
    guard reference else { return try runner.run(inputs, observe: observe) }
    return try ReferenceExecutor(graph).run(inputs) { (id, tensor) throws(ModelError) in
      try observe?(id, tensor)
    }
  }

  /// Inputs and outputs by port name.
  mutating func run(_ inputs: [String: Tensor]) throws(ModelError) -> [String: Tensor] {
    let results = try run(try ordered(inputs))
    return Dictionary(
      zip(graph.outputs.map(\.name), results), uniquingKeysWith: { $1 })
  }

  func ordered(_ inputs: [String: Tensor]) throws(ModelError) -> [Tensor] {
    try graph.ordered(inputs)
  }

  mutating func profile(_ inputs: [Tensor]) throws(ModelError) -> [StepTime] {
    try runner.profile(inputs)
  }

  mutating func plan(_ inputs: [Tensor]) throws(ModelError) -> Plan? { try runner.plan(inputs) }
}

extension Graph {
  /// Tensors in the order of the graph's inputs.
  ///
  /// - Throws: `missing-input` for an input without one, `usage` for a name that no input has.
  func ordered(_ tensors: [String: Tensor]) throws(ModelError) -> [Tensor] {
    try checkNames(tensors.keys.sorted())
    var ordered: [Tensor] = []
    for port in inputs {
      guard let tensor = tensors[port.name] else {
        throw ModelError(
          .missingInput, "input '\(port.name)' is missing; \(type(port.value)) is needed")
      }
      ordered.append(tensor)
    }
    return ordered
  }

  /// - Throws: `usage` for a name that no input has.
  func checkNames(_ names: [String]) throws(ModelError) {
    for name in names where !inputs.contains(where: { $0.name == name }) {
      guard metadata[BoundInputs.key + name] == nil else {
        throw ModelError(
          .usage, "input '\(name)' was bound when the bundle was made: it is the same in every run")
      }
      throw ModelError(
        .usage,
        "the model has no input '\(name)'; it has " + inputs.map(\.name).joined(separator: ", "))
    }
  }
}
