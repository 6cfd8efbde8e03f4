import ModelIR
import ModelKernels
import ModelOperators
import TensorCore

/// Runs graphs whose shapes depend on data: each node is planned when its operands exist.
struct StepwiseExecutor: Sendable {
  let graph: Graph
  let options: PlanOptions

  func run(
    _ inputs: [Tensor], observe: ((ValueID, Tensor) throws(ModelError) -> Void)?
  ) throws(ModelError) -> [Tensor] {
    var values = [Tensor?](repeating: nil, count: graph.values.count)
    for (port, tensor) in zip(graph.inputs, inputs) { values[port.value.index] = tensor }
    for (index, value) in graph.values.enumerated() {
      if let constant = value.fact.constant { values[index] = constant }
    }
    for node in graph.nodes {
      let operands = Operands(node.inputs.map { $0.flatMap { values[$0.index] } })
      for (id, result) in zip(node.outputs, try run(node, operands)) {
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
    guard types.allSatisfy({ $0.shape != nil }) else {
      return try Graph.evaluate(node, operands, quantizations: quantizations)
    }
    var single = Graph()
    var ids: [ValueID?] = []
    for operand in operands.values {
      ids.append(operand.map { single.addConstant($0, named: "operand") })
    }
    let made = try single.append(node.op, named: node.name, to: ids, quantizedAs: quantizations)
    for (index, id) in made.enumerated() { try single.addOutput("\(index)", id) }
    var session = Session(try Plan(single, inputTypes: [], options: options))
    return try session.run([])
  }
}
