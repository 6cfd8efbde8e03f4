import ModelIR
import TensorCore

/// Runs a graph by the operators' references: plain loops in topological order, slow and obviously
/// right. Quantized nodes run in exact integers.
package struct ReferenceExecutor: Sendable {
  package let graph: Graph

  package init(_ graph: Graph) { self.graph = graph }

  /// - Parameters:
  ///   - inputs: one tensor for each graph input, in order.
  ///   - observe: called with the output of every node as it is made.
  /// - Returns: one tensor for each graph output, in order.
  package func run(
    _ inputs: [Tensor],
    observe: (ValueID, Tensor) throws(ModelError) -> Void = { (_, _) throws(ModelError) in }
  ) throws(ModelError) -> [Tensor] {
    try graph.bind(inputs)
    var values = [Tensor?](repeating: nil, count: graph.values.count)
    for (port, tensor) in zip(graph.inputs, inputs) { values[port.value.index] = tensor }
    for (index, value) in graph.values.enumerated() {
      if let constant = value.fact.constant { values[index] = constant }
    }
    var left = graph.useCounts()
    for node in graph.nodes {
      let operands = Operands(node.inputs.map { $0.flatMap { values[$0.index] } })
      let results = try Graph.evaluate(
        node, operands, quantizations: graph.quantizations(of: node))
      for (id, result) in zip(node.outputs, results) {
        values[id.index] = left[id.index] > 0 ? result : nil
        try observe(id, result)
      }
      for input in node.inputs {
        guard let input else { continue }
        left[input.index] -= 1
        if left[input.index] == 0, graph[input].producer != nil { values[input.index] = nil }
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
}
