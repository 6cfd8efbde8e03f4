import ModelIR
import ModelOperators
import ModelRuntime
import TensorCore

/// The moments of what every layer with constant weights multiplies, over samples.
package struct LayerMoments: ~Copyable {
  package private(set) var moments: [String: OperandMoments] = [:]
  private let layers: [Int: [(name: String, op: any WeightedOperator, weight: Shape)]]
  private var runner: ModelRunner

  package init(_ graph: Graph, threads: Int = 1) {
    var layers: [Int: [(name: String, op: any WeightedOperator, weight: Shape)]] = [:]
    for node in graph.nodes {
      guard let op = node.op as? any WeightedOperator, let x = node.inputs[0],
        let weight = node.inputs[1].flatMap({ graph.constant($0) }), weight.element == .float32
      else { continue }
      layers[x.index, default: []].append((node.name, op, weight.shape))
    }
    self.layers = layers
    runner = ModelRunner(graph, options: PlanOptions(profile: .exact, threads: threads))
  }

  /// Runs one sample: a tensor for each graph input, in order.
  package mutating func observe(_ inputs: [Tensor]) throws(ModelError) {
    var found = moments
    moments = [:]
    let layers = layers
    func observe(_ index: Int, _ tensor: Tensor) throws(ModelError) {
      for layer in layers[index] ?? [] {
        guard let own = try OperandMoments(tensor, of: layer.op, weight: layer.weight) else {
          continue
        }
        if found[layer.name]?.add(own) == nil { found[layer.name] = own }
      }
    }
    for (port, tensor) in zip(runner.graph.inputs, inputs) {
      try observe(port.value.index, tensor)
    }
    _ = try runner.run(inputs) { (id, tensor) throws(ModelError) in
      try observe(id.index, tensor)
    }
    moments = found
  }
}
