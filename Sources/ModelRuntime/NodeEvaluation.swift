import ModelIR
import TensorCore

extension Graph {
  /// Evaluates one node by its reference, in integers where it touches quantized tensors.
  ///
  /// - Parameter quantizations: what the graph records for the node's outputs.
  /// - Returns: tensors whose types are checked against what the operator infers.
  static func evaluate(
    _ node: Node, _ operands: Operands<Tensor>, quantizations: [QuantizationParameters?]
  ) throws(ModelError) -> [Tensor] {
    try during("running node '\(node.name)' (\(Swift.type(of: node.op).name))") {
      () throws(ModelError) in
      let facts = try operands.map { Fact($0) }
      let types = try Graph.infer(node.op, facts, quantizedAs: quantizations)
      let touchesIntegers =
        quantizations.contains { $0 != nil }
        || operands.values.contains { $0?.quantization != nil }
      let results: [Tensor]
      if touchesIntegers, let integer = node.op as? any IntegerOperator {
        results = try integer.integerReference(operands, types)
      } else {
        results = try node.op.reference(operands)
      }
      guard results.count >= types.count else {
        throw ModelError(.invalidGraph, "\(results.count) results, \(types.count) expected")
      }
      for (result, type) in zip(results, types) {
        let sameShape = type.shape.map { $0 == result.shape } ?? true
        guard result.element == type.element, sameShape else {
          throw ModelError(.invalidGraph, "a result is \(result.type), but \(type) was inferred")
        }
      }
      return results
    }
  }
}
