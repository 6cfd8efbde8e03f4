import ModelIR
import ModelOperators
import TensorCore

/// An `Expand` before an operator that broadcasts anyway, away, where the result keeps its shape.
///
///     %2 = Expand(%1[N×1], %s)
///     %3 = Div(%x[N×80], %2)      →    %3 = Div(%x, %1)
///
/// Exact.
package struct RemoveExpand: Rewrite {
  package static let name = "remove-expand"
  package init() {}

  package func replacement(
    for node: Node, at site: inout RewriteSite
  ) throws(ModelError) -> [ValueID]? {
    guard node.op is any BroadcastingOperator, !site.isQuantized else { return nil }
    let expanded = try Graph.infer(node.op, site.graph.facts(site.operands))
    guard let dimensions = expanded[0].dimensions, !dimensions.contains(.unknown) else {
      return nil
    }
    for index in site.operands.indices {
      guard let expand = site.producer(index, as: Expand.self) else { continue }
      let operands = setting(index, of: site.operands, to: expand.node.input(0))
      guard try Graph.infer(node.op, site.graph.facts(operands)) == expanded else { continue }
      return try site.replace(node, by: node.op, to: operands)
    }
    return nil
  }
}
