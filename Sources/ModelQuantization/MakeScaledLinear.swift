import ModelIR
import ModelOperators
import TensorCore

/// Products with a matrix that a file stores as integers, as linear layers.
///
///     %1 = DequantizeLinear(w, s)
///     %2 = MatMul(%x, %1)           →    %2 = Linear(%x, %1)
///     %3 = Add(%2, b)               →    %3 = Linear(%x, %1, b)
///
/// A Gemm with α and β of 1 and a bias of one value for each output is one too. Exact.
struct MakeScaledLinear: Rewrite {
  static let name = "make-scaled-linear"

  func replacement(for node: Node, at site: inout RewriteSite) throws(ModelError) -> [ValueID]? {
    guard !site.isQuantized else { return nil }
    switch node.op {
    case is MatMul:
      guard let x = site.operand(0), let w = site.operand(1), isActivation(x, site.graph),
        StoredConstant.isStored(w, in: site.graph), site.graph.type(w).rank == 2
      else { return nil }
      return try site.replace(node, by: Linear(), to: [x, w])
    case let op as Gemm where !op.transposeA && op.alpha == 1 && op.beta == 1:
      guard let x = site.operand(0), let w = site.operand(1), isActivation(x, site.graph),
        StoredConstant.isStored(w, in: site.graph),
        try isBias(site.operand(2), in: site.graph)
      else { return nil }
      return try site.replace(
        node, by: Linear(transposeWeight: op.transposeB, epilogue: op.epilogue), to: site.operands)
    case is Add:
      for index in 0...1 {
        guard let linear = site.soleProducer(index, as: Linear.self),
          linear.node.inputs.count == 2, linear.op.epilogue.activation == .none,
          let weight = linear.node.inputs[1], StoredConstant.isStored(weight, in: site.graph),
          let bias = site.operand(1 - index), try isBias(bias, in: site.graph),
          site.graph.type(bias).dimensions?.last == site.type(index)?.dimensions?.last
        else { continue }
        return try site.replace(
          node, by: linear.op, to: linear.node.inputs + [bias], after: linear.node)
      }
      return nil
    default: return nil
    }
  }

  private func isActivation(_ id: ValueID, _ graph: Graph) -> Bool {
    graph.constant(id) == nil && (graph.type(id).rank ?? 0) >= 1
  }

  /// Nothing, or a constant vector.
  private func isBias(_ id: ValueID?, in graph: Graph) throws(ModelError) -> Bool {
    guard let id else { return true }
    guard graph.type(id).rank == 1, graph.type(id).element == .float32 else { return false }
    return graph.constant(id) != nil || StoredConstant.isStored(id, in: graph)
  }
}
