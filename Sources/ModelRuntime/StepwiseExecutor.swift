import ModelIR
import ModelKernels
import ModelOperators
import TensorCore

/// Runs graphs whose shapes depend on data: each node is planned when its operands exist.
struct StepwiseExecutor: Sendable {
  private let graph: Graph
  private let options: PlanOptions
  private let pool: ThreadPool
  /// Of the nodes that hold graphs, by their place.
  private let runners: [Int: InnerRunners]

  init(graph: Graph, options: PlanOptions, pool: ThreadPool) {
    self.graph = graph
    self.options = options
    self.pool = pool
    var inner = options
    inner.profile = options.isExact(for: graph) ? .exact : .fast
    var runners: [Int: InnerRunners] = [:]
    for (index, node) in graph.nodes.enumerated() {
      if let op = node.op as? any GraphOperator {
        runners[index] = InnerRunners(op, options: inner)
      }
    }
    self.runners = runners
  }

  func run(
    _ inputs: [Tensor], observe: ((ValueID, Tensor) throws(ModelError) -> Void)?
  ) throws(ModelError) -> [Tensor] {
    var values = [Tensor?](repeating: nil, count: graph.values.count)
    for (port, tensor) in zip(graph.inputs, inputs) { values[port.value.index] = tensor }
    for (index, value) in graph.values.enumerated() {
      guard let constant = value.fact.constant else { continue }
      try constant.load()
      values[index] = constant
    }
    for (index, node) in graph.nodes.enumerated() {
      let operands = Operands(node.inputs.map { $0.flatMap { values[$0.index] } })
      let results = try during("running node '\(node.name)' (\(type(of: node.op).name))") {
        () throws(ModelError) in
        if let inner = runners[index] { return try inner.run(operands, pool: pool) }
        return try run(node, operands)
      }
      for (id, result) in zip(node.outputs, results) {
        values[id.index] = result
        try observe?(id, result)
      }
    }
    var outputs: [Tensor] = []
    for port in graph.outputs {
      guard let value = values[port.value.index] else {
        throw ModelError(.invalidGraph, "output '\(port.name)' was not made")
      }
      outputs.append(value)
    }
    return outputs
  }

  /// One node as a graph of its own, planned where its shapes allow.
  private func run(_ node: Node, _ operands: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let quantizations = graph.quantizations(of: node)
    let facts = try operands.map { Fact($0) }
    let types = try during("typing node '\(node.name)'") { () throws(ModelError) in
      try Graph.infer(node.op, facts, quantizedAs: quantizations)
    }
    guard types.allSatisfy({ $0.shape != nil }),
      operands.values.allSatisfy({ $0?.members == nil })
    else {
      return try Graph.evaluate(node, operands, quantizations: quantizations)
    }
    var single = Graph()
    var ids: [ValueID?] = []
    for operand in operands.values {
      ids.append(operand.map { single.addConstant($0, named: "operand") })
    }
    let made = try single.append(node.op, named: node.name, to: ids, quantizedAs: quantizations)
    for (index, id) in made.enumerated() { try single.addOutput("\(index)", id) }
    var session = Session(try Plan(single, inputTypes: [], options: options), pool: pool)
    return try session.run([])
  }
}
