import ModelIR
import ModelOperators
import TensorCore

/// Initial states of a recurrent operator that are zeros anyway, away.
///
///     %1 = Expand(0, %s)
///     %2, %3 = GRU(%x, w, r, b, _, %1)      →    %2, %3 = GRU(%x, w, r, b)
///
/// Zeros that are constant, or expanded, sliced or given another shape. Exact: an absent state is zero.
package struct RemoveZeroState: Rewrite {
  package static let name = "remove-zero-state"
  package init() {}

  package func replacement(
    for node: Node, at site: inout RewriteSite
  ) throws(ModelError) -> [ValueID]? {
    guard node.op is any RecurrentOperator, !site.isQuantized else { return nil }
    // Operand 5 is the initial state; operand 6 is that of an LSTM's cells.
    var operands = site.operands
    for index in 5...(node.op is LSTM ? 6 : 5) where index < operands.count {
      if let id = operands[index], RemoveZeroState.isZero(id, in: site.graph) {
        operands = setting(index, of: operands, to: nil)
      }
    }
    guard operands != site.operands,
      try Graph.infer(node.op, site.graph.facts(operands))
        == Graph.infer(node.op, site.graph.facts(site.operands))
    else { return nil }
    return try site.replace(node, by: node.op, to: operands)
  }

  private static func isZero(_ id: ValueID, in graph: Graph, depth: Int = 8) -> Bool {
    if let constant = graph.constant(id) {
      return constant.quantization == nil && constant.bytes.allSatisfy { $0 == 0 }
    }
    guard depth > 0, let node = graph.producer(of: id) else { return false }
    switch node.op {
    case let op as ConstantOfShape: return op.value.bytes.allSatisfy { $0 == 0 }
    case is Expand, is Slice, is Split, is Gather, is Reshape, is Squeeze, is Unsqueeze, is Flatten,
      is Transpose, is Identity:
      return node.input(0).map { isZero($0, in: graph, depth: depth - 1) } ?? false
    default: return false
    }
  }
}
