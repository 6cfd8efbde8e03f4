import ModelIR
import ModelOperators
import TensorCore

/// Layer normalisation, written out.
///
///     %1 = ReduceMean(%x, [-1]) keepdims
///     %2 = Sub(%x, %1)
///     %3 = Pow(%2, 2)
///     %4 = ReduceMean(%3, [-1]) keepdims
///     %5 = Add(%4, ε)                        →    %9 = LayerNormalization(%x, γ, β) epsilon=ε
///     %6 = Sqrt(%5)
///     %7 = Div(%2, %6)
///     %8 = Mul(%7, γ)
///     %9 = Add(%8, β)
///
/// With constant γ and β, either, or none, over any number of last axes; they join one after the other. Results
/// agree to about 1e-6 of their scale.
package struct RecogniseLayerNormalization: Rewrite {
  package static let name = "recognise-layer-normalization"
  package init() {}

  package func replacement(
    for node: Node, at site: inout RewriteSite
  ) throws(ModelError) -> [ValueID]? {
    guard !site.isQuantized, site.operands.count == 2 else { return nil }
    switch node.op {
    case is Div: return try normalize(node, at: &site)
    case is Mul: return try addScale(node, at: &site)
    case is Add: return try addBias(node, at: &site)
    default: return nil
    }
  }

  private func normalize(_ node: Node, at site: inout RewriteSite) throws(ModelError) -> [ValueID]?
  {
    guard
      let found = RecogniseLayerNormalization.match(node.op, site.operands, in: site.graph)
    else { return nil }
    let op = LayerNormalization(axis: -found.axes, epsilon: found.epsilon)
    let one = site.graph.addConstant(
      Tensor.filled(site.graph.type(found.x).element, try Shape([1]), with: 1),
      named: "\(node.name).scale")
    let operands = [found.x, one]
    guard let type = try? Graph.infer(op, site.graph.facts(operands)),
      try type == Graph.infer(node.op, site.graph.facts(site.operands))
    else { return nil }
    return try site.replace(node, by: op, to: operands)
  }

  private func addScale(_ node: Node, at site: inout RewriteSite) throws(ModelError) -> [ValueID]? {
    for index in 0...1 {
      guard let scale = site.constant(index),
        let normalized = site.soleProducer(1 - index, as: LayerNormalization.self),
        !normalized.op.statistics, normalized.node.input(2) == nil,
        let old = normalized.node.input(1), site.graph.scalar(old) == 1
      else { continue }
      let operands = setting(1, of: normalized.node.inputs, to: site.operand(index))
      guard fits(scale, normalized.op, site.type(1 - index)?.rank),
        let type = try? Graph.infer(normalized.op, site.graph.facts(operands)),
        try type == Graph.infer(node.op, site.graph.facts(site.operands))
      else { continue }
      return try site.replace(node, by: normalized.op, to: operands)
    }
    return nil
  }

  /// True where a scale or bias varies along the normalised axes only.
  private func fits(_ tensor: Tensor, _ op: LayerNormalization, _ rank: Int?) -> Bool {
    guard let rank else { return false }
    return tensor.shape.rank <= (op.axis < 0 ? -op.axis : rank - op.axis)
  }

  private func addBias(_ node: Node, at site: inout RewriteSite) throws(ModelError) -> [ValueID]? {
    for index in 0...1 {
      guard let bias = site.constant(index),
        let normalized = site.soleProducer(1 - index, as: LayerNormalization.self),
        !normalized.op.statistics, normalized.node.input(2) == nil,
        fits(bias, normalized.op, site.type(1 - index)?.rank)
      else { continue }
      let operands = setting(2, of: normalized.node.inputs, to: site.operand(index))
      guard
        let type = try? Graph.infer(normalized.op, site.graph.facts(operands)),
        try type == Graph.infer(node.op, site.graph.facts(site.operands))
      else { continue }
      return try site.replace(node, by: normalized.op, to: operands)
    }
    return nil
  }

  /// (x − mean) / √(variance + ε) over the last `axes` axes.
  private static func match(
    _ op: any Operator, _ operands: [ValueID?], in graph: Graph
  ) -> (x: ValueID, axes: Int, epsilon: Float)? {
    guard op is Div, let centred = operands[0],
      let difference = graph.producer(centred, as: Sub.self), let x = difference.inputs[0],
      let axes = meanAxes(difference.inputs[1], of: x, in: graph),
      let root = graph.producer(operands[1], as: Sqrt.self),
      let sum = graph.producer(root.inputs[0], as: Add.self),
      let variance = graph.scalarPair(sum.inputs), variance.scalar > 0,
      let mean = graph.producer(variance.value, as: ReduceMean.self), let square = mean.inputs[0],
      isSquare(square, of: centred, in: graph),
      meanAxes(variance.value, of: square, in: graph) == axes
    else { return nil }
    return (x, axes, Float(variance.scalar))
  }

  /// How many last axes `id` is the mean of `x` over.
  private static func meanAxes(_ id: ValueID?, of x: ValueID, in graph: Graph) -> Int? {
    guard let mean = graph.producer(id, as: ReduceMean.self), mean.op.keepDimensions,
      mean.inputs.count == 2, mean.inputs[0] == x, let operand = mean.inputs[1],
      let axes = graph.constant(operand)?.integers(), let rank = graph.type(x).rank, !axes.isEmpty
    else { return nil }
    let resolved = axes.map { Int($0) < 0 ? Int($0) + rank : Int($0) }.sorted()
    return resolved == Array(rank - resolved.count..<rank) ? resolved.count : nil
  }

  private static func isSquare(_ id: ValueID, of x: ValueID, in graph: Graph) -> Bool {
    if let product = graph.producer(id, as: Mul.self) { return product.inputs == [x, x] }
    return graph.base(of: id, exponent: 2) == x
  }
}
