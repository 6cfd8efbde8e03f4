import ModelIR
import ModelOperators
import ModelPasses
import TensorCore

/// Attention as its two products, which have integer forms, and the softmax between them, which stays float.
///
///                                             %1 = Transpose(%k) perm=[0, 1, 3, 2]
///                                             %2 = MatMul(%q, %1)
///     %5 = Attention(%q, %k, %v) scale=s  →   %3 = Mul(%2, s)
///                                             %4 = Softmax(%3) axis=-1
///                                             %5 = MatMul(%4, %v)
///
/// For operands of rank 4 of as many heads, without a mask, a window, a past or a bound of the scores: what
/// ``RecogniseAttention`` makes. Results agree to about 1e-6 of their scale.
struct OpenAttention: Rewrite {
  static let name = "open-attention"

  func replacement(for node: Node, at site: inout RewriteSite) throws(ModelError) -> [ValueID]? {
    guard let op = node.op as? Attention, !site.isQuantized, !op.causal, op.softcap == 0,
      op.leftWindow == -1, op.rightWindow == -1, op.outputs == 1,
      node.inputs.dropFirst(3).allSatisfy({ $0 == nil }), let query = site.operand(0),
      let key = site.operand(1), let value = site.operand(2),
      let shape = site.graph.type(query).dimensions, shape.count == 4,
      let size = shape[3].value, site.graph.type(value).rank == 4,
      let keys = site.graph.type(key).dimensions, shape[1] == keys[1]
    else { return nil }
    let scale = op.scale ?? 1 / Float(size).squareRoot()
    func append(_ op: some Operator, _ name: String, _ operands: [ValueID]) throws(ModelError)
      -> ValueID
    {
      try site.graph.appendOne(
        op, named: "\(node.name).\(name)", to: operands, origin: node.origin)
    }
    let turned = try append(Transpose([0, 1, 3, 2]), "key", [key])
    let products = try append(MatMul(), "products", [query, turned])
    let factor = site.graph.addConstant(Tensor(.scalar, [scale]), named: "\(node.name).scale")
    let scores = try append(Mul(), "scores", [products, factor])
    let weights = try append(Softmax(axis: -1), "weights", [scores])
    return try site.replace(node, by: MatMul(), to: [weights, value])
  }
}
