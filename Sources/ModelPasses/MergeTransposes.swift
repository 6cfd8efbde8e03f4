import ModelIR
import ModelOperators
import TensorCore

/// A transpose of a transpose as one.
///
///     %1 = Transpose(%x) perm=[0, 2, 1]
///     %2 = Transpose(%1) perm=[2, 1, 0]      →    %2 = Transpose(%x) perm=[1, 2, 0]
///
/// Exact.
package struct MergeTransposes: Rewrite {
  package static let name = "merge-transposes"
  package init() {}

  package func replacement(
    for node: Node, at site: inout RewriteSite
  ) throws(ModelError) -> [ValueID]? {
    guard let outer = node.op as? Transpose, let inner = site.producer(0, as: Transpose.self),
      let rank = site.type(0)?.rank
    else { return nil }
    let first = try inner.op.order(rank: rank)
    let second = try outer.order(rank: rank)
    return try site.replace(
      node, by: Transpose(second.map { first[$0] }), to: [inner.node.input(0)])
  }
}
