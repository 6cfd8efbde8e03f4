import ModelIR
import ModelOperators
import TensorCore

/// What noise in a graph's values adds to its outputs, to what ranges and weights tell: layers pass on the sum of squares of
/// their weights, sums all of it, whatever else as much as it does of the signal.
struct OutputNoise {
  /// Of each value: noise power of the outputs, as shares of theirs, by the noise power of the value.
  private var gains: [Double]
  /// Of each node that is a layer with weights: noise power of its result by that of operand 0.
  private(set) var layers: [Double]

  init(_ calibration: borrowing Calibration) {
    let graph = calibration.graph
    layers = graph.nodes.map { ($0.op as? any WeightedOperator)?.noiseGain($0, graph) ?? 0 }
    gains = [Double](repeating: 0, count: graph.values.count)
    let powers = graph.values.indices.map {
      calibration.observer(of: graph.id(at: $0))?.meanSquare ?? 0
    }
    for port in graph.outputs where powers[port.value.index] > 0 {
      gains[port.value.index] += 1 / powers[port.value.index]
    }
    for (index, node) in graph.nodes.enumerated().reversed() {
      for output in node.outputs where gains[output.index] > 0 {
        for (place, operand) in node.inputs.enumerated() {
          guard let operand, graph.constant(operand) == nil else { continue }
          var passed = 0.0
          if node.op is any WeightedOperator {
            passed = place == 3 ? 1 : place == 0 ? layers[index] : 0
          } else if node.op is Add || node.op is Sub {
            passed = 1
          } else if powers[operand.index] > 0 {
            passed = powers[output.index] / powers[operand.index]
          }
          gains[operand.index] += gains[output.index] * passed
        }
      }
    }
  }

  /// What noise of a power of 1 in a value adds to the outputs.
  subscript(_ id: ValueID) -> Double { gains[id.index] }
}

extension WeightedOperator {
  fileprivate func noiseGain(_ node: Node, _ graph: Graph) -> Double {
    guard let weight = node.inputs[1].flatMap({ graph.constant($0) }), weight.element == .float32
    else { return 0 }
    let squares = weight.withElements(of: Float.self) { values in
      values.reduce(0.0) { $0 + Double($1) * Double($1) }
    }
    return squares / sums(of: weight)
  }
}
