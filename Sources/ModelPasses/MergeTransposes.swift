import ModelIR
import ModelOperators
import TensorCore

/// A transpose of a transpose as one.
///
///     %1 = Transpose(%x) perm=[0, 2, 1]
///     %2 = Transpose(%1) perm=[2, 1, 0]      →    %2 = Transpose(%x) perm=[1, 2, 0]
///
/// And one in the middle of two reshapes that only merge the leading axes and part them again:
///
///     %1 = Reshape(%x[N×4×T×8], …)       [?×T×8]
///     %2 = Transpose(%1) perm=[0, 2, 1]  [?×8×T]      →    %3 = Transpose(%x) perm=[0, 1, 3, 2]
///     %3 = Reshape(%2, …)                [N×4×8×T]
///
/// Exact.
package struct MergeTransposes: Rewrite {
  package static let name = "merge-transposes"
  package init() {}

  package func replacement(
    for node: Node, at site: inout RewriteSite
  ) throws(ModelError) -> [ValueID]? {
    if node.op is Reshape { return try part(node, at: &site) }
    guard let outer = node.op as? Transpose, let inner = site.producer(0, as: Transpose.self),
      let rank = site.type(0)?.rank
    else { return nil }
    let first = try inner.op.order(rank: rank)
    let second = try outer.order(rank: rank)
    return try site.replace(
      node, by: Transpose(second.map { first[$0] }), to: [inner.node.input(0)])
  }

  private func part(_ node: Node, at site: inout RewriteSite) throws(ModelError) -> [ValueID]? {
    guard let turned = site.operand(0),
      let transpose = site.graph.producer(turned, as: Transpose.self),
      site.graph.type(turned).rank == 3, try transpose.op.order(rank: 3) == [0, 2, 1],
      let merged = transpose.inputs[0],
      let reshape = site.graph.producer(merged, as: Reshape.self), let source = reshape.inputs[0],
      let inner = site.graph.type(merged).dimensions,
      let dimensions = site.graph.type(source).dimensions, !dimensions.contains(.unknown),
      dimensions.count >= 3, dimensions.suffix(2) == inner.suffix(2)
    else { return nil }
    let rank = dimensions.count
    let op = Transpose(Array(0..<rank - 2) + [rank - 1, rank - 2])
    guard
      try Graph.infer(op, site.graph.facts([source]), quantizedAs: site.quantizations)
        == Graph.infer(
          node.op, site.graph.facts(site.operands), quantizedAs: site.quantizations)
    else { return nil }
    return try site.replace(node, by: op, to: [source])
  }
}
