import ModelIR
import ModelOperators
import TensorCore

/// Scaled dot-product attention, written out.
///
///     %1 = Transpose(%k) perm=[0, 1, 3, 2]
///     %2 = MatMul(%q, %1)
///     %3 = Mul(%2, 0.125)                      →    %5 = Attention(%q, %k, %v) scale=0.125
///     %4 = Softmax(%3) axis=-1
///     %5 = MatMul(%4, %v)
///
/// For operands of rank 4 (batch, heads, length, size) that agree in batch and heads and are not constants, with
/// the factors anywhere before the softmax. Results agree to about 1e-6 of their scale. Left alone: masked
/// attention, whose fully masked rows are not numbers here and zeros there.
package struct RecogniseAttention: Rewrite {
  package static let name = "recognise-attention"
  package init() {}

  package func replacement(
    for node: Node, at site: inout RewriteSite
  ) throws(ModelError) -> [ValueID]? {
    guard node.op is MatMul, !site.isQuantized, let value = site.operand(1),
      site.graph.type(value).rank == 4, site.graph.constant(value) == nil,
      let weights = site.soleProducer(0, as: Softmax.self),
      weights.op.axis == -1 || weights.op.axis == 3, let scores = weights.node.input(0)
    else { return nil }
    let scaled = site.graph.product(scores)
    guard scaled.terms.count == 1,
      let product = site.graph.producer(scaled.terms[0], as: MatMul.self)
    else { return nil }
    let query = site.graph.scaledValue(product.inputs[0])
    var key = site.graph.scaledValue(product.inputs[1])
    guard let q = query.value, var k = key.value, site.graph.type(q).rank == 4,
      site.graph.type(k).rank == 4, site.graph.constant(q) == nil, site.graph.constant(k) == nil
    else { return nil }
    let swap = [0, 1, 3, 2]
    if let transpose = site.graph.producer(k, as: Transpose.self),
      try transpose.op.order(rank: 4) == swap, let source = transpose.inputs[0]
    {
      let inner = site.graph.scaledValue(source)
      key.factor *= inner.factor
      k = inner.value ?? source
    } else {
      k = try site.graph.appendOne(
        Transpose(swap), named: "\(node.name).key", to: [k], origin: node.origin)
    }
    var op = Attention()
    op.scale = Float(scaled.factor * query.factor * key.factor)
    let operands = [q, k, value]
    guard let type = try? Graph.infer(op, site.graph.facts(operands)),
      try type == Graph.infer(node.op, site.graph.facts(site.operands)),
      RecogniseAttention.agree(operands, in: site.graph)
    else { return nil }
    return try site.replace(node, by: op, to: operands)
  }

  /// True where batch and heads are the same extents everywhere, so that nothing broadcasts.
  private static func agree(_ operands: [ValueID], in graph: Graph) -> Bool {
    let outer = operands.map { Array((graph.type($0).dimensions ?? []).prefix(2)) }
    return !outer[0].contains(.unknown) && outer.allSatisfy { $0 == outer[0] }
  }
}

extension Graph {
  /// What a value is a scalar multiple of, and the scalar.
  func scaledValue(_ id: ValueID?) -> (value: ValueID?, factor: Double) {
    guard let id else { return (nil, 1) }
    let product = product(id)
    return product.terms.count == 1 ? (product.terms[0], product.factor) : (id, 1)
  }
}
