import ModelIR
import TensorCore

extension Graph {
  /// Whether a node works on integers: it makes some, or floats of what it computes from some. A conversion to floats computes
  /// nothing.
  package func worksOnIntegers(_ node: Node) -> Bool {
    node.outputs.contains { type($0).quantization != nil }
      || node.op is any IntegerOperator && !(node.op is Dequantize)
        && node.inputs.contains { $0.map { type($0).quantization != nil } ?? false }
  }
}
