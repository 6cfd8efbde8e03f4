import ModelIR
import ModelOperators
import TensorCore

/// The piecewise form of x · sigmoid(x), written out.
///
///     %1 = Add(%x, 3)
///     %2 = Clip(%1, 0, 6)      →    %4 = HardSwish(%x)
///     %3 = Mul(%x, %2)
///     %4 = Div(%3, 6)
///
/// And x · HardSigmoid(x) with α = 1/6, β = 1/2. Results agree to about 1e-6 of their scale.
package struct RecogniseHardSwish: Rewrite {
  package static let name = "recognise-hard-swish"
  package init() {}

  package func replacement(
    for node: Node, at site: inout RewriteSite
  ) throws(ModelError) -> [ValueID]? {
    try site.recognise(node) { term, graph in
      if let gate = graph.producer(term, as: HardSigmoid.self), let x = gate.inputs[0],
        agree(Double(gate.op.alpha), 1.0 / 6), gate.op.beta == 0.5
      {
        return [(x, 1, HardSwish())]
      }
      guard let clip = graph.producer(term, as: Clip.self), clip.inputs.count == 3,
        graph.scalar(clip.inputs[1]) == 0, graph.scalar(clip.inputs[2]) == 6,
        let sum = graph.producer(clip.inputs[0], as: Add.self),
        let shifted = graph.scalarPair(sum.inputs), shifted.scalar == 3
      else { return [] }
      return [(shifted.value, 1.0 / 6, HardSwish())]
    }
  }
}
