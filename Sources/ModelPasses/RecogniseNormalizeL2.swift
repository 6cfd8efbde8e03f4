import ModelIR
import ModelOperators
import TensorCore

/// Division by the Euclidean norm, kept from zero: how the keys and queries of a memory become directions.
///
///     %1 = ReduceL2(%x, [1]) keepdims
///     %2 = Clip(%1, 1e-12)                 →    %4 = NormalizeL2(%x) axis=1 epsilon=1e-12
///     %3 = Expand(%2, %s)
///     %4 = Div(%x, %3)
///
/// With or without the Expand, and with a Max instead of the Clip. The norm is not rounded in between, so results agree to one rounding.
package struct RecogniseNormalizeL2: Rewrite {
  package static let name = "recognise-normalize-l2"
  package init() {}

  package func replacement(
    for node: Node, at site: inout RewriteSite
  ) throws(ModelError) -> [ValueID]? {
    let graph = site.graph
    guard node.op is Div, !site.isQuantized, let x = site.operand(0),
      let rank = graph.type(x).rank, var divisor = site.operand(1)
    else { return nil }
    if let expand = graph.producer(divisor, as: Expand.self), let inner = expand.inputs[0] {
      divisor = inner
    }
    guard let bounded = RecogniseNormalizeL2.bounded(divisor, in: graph),
      let least = graph.scalar(bounded.least), Double(Float(least)) == least, least > 0,
      let norm = graph.producer(bounded.norm, as: ReduceL2.self), norm.op.keepDimensions,
      norm.inputs[0] == x, norm.inputs.count == 2, let axes = norm.inputs[1],
      let axis = graph.constant(axes)?.integers(), axis.count == 1
    else { return nil }
    let op = NormalizeL2(
      axis: try Shape.resolve(axis: Int(axis[0]), rank: rank), epsilon: Float(least))
    guard
      try Graph.infer(op, graph.facts([x])) == Graph.infer(node.op, graph.facts(site.operands))
    else { return nil }
    return try site.replace(node, by: op, to: [x])
  }

  /// The operands of a Clip without an upper limit, or of a Max with a constant.
  private static func bounded(
    _ divisor: ValueID, in graph: Graph
  ) -> (norm: ValueID?, least: ValueID?)? {
    if let clip = graph.producer(divisor, as: Clip.self), clip.inputs.count >= 2 {
      guard
        clip.inputs.count < 3 || clip.inputs[2] == nil
          || graph.scalar(clip.inputs[2]) == .infinity
      else { return nil }
      return (clip.inputs[0], clip.inputs[1])
    }
    guard let most = graph.producer(divisor, as: Max.self), most.inputs.count == 2,
      let first = most.inputs[0]
    else { return nil }
    return graph.constant(first) == nil
      ? (first, most.inputs[1]) : (most.inputs[1], first)
  }
}
