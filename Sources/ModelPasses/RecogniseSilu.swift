import ModelIR
import ModelOperators
import TensorCore

/// A value times its own sigmoid.
///
///     %1 = Sigmoid(%x)
///     %2 = Mul(%x, %1)      →    %2 = Swish(%x)
///
/// A constant α inside the sigmoid becomes the operator's. Results agree to one rounding.
package struct RecogniseSilu: Rewrite {
  package static let name = "recognise-silu"
  package init() {}

  package func replacement(
    for node: Node, at site: inout RewriteSite
  ) throws(ModelError) -> [ValueID]? {
    try site.recognise(node) { term, graph in
      guard let gate = graph.producer(term, as: Sigmoid.self), let inner = gate.inputs[0] else {
        return []
      }
      var candidates: [(value: ValueID, factor: Double, op: any Operator)] = [(inner, 1, Swish())]
      if let scaled = graph.producer(inner, as: Mul.self),
        let pair = graph.scalarPair(scaled.inputs)
      {
        candidates.append((pair.value, 1, Swish(alpha: Float(pair.scalar))))
      }
      return candidates
    }
  }
}
