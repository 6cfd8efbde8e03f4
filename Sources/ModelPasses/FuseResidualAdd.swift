import ModelIR
import ModelOperators
import TensorCore

/// A sum of two tensors of one shape into the convolution or matrix product that makes one of them.
///
///     %1 = Conv(%x, w, b)
///     %2 = Add(%1, %r)         →    %2 = Conv(%x, w, b, %r)
///
/// Where both are made by one that could take the other, the later one does. A producer that already has a
/// residual or an activation, or that something else reads, cannot. Exact: the same sum, one rounding earlier.
package struct FuseResidualAdd: Rewrite {
  package static let name = "fuse-residual-add"
  package init() {}

  package func replacement(
    for node: Node, at site: inout RewriteSite
  ) throws(ModelError) -> [ValueID]? {
    guard node.op is Add, !site.isQuantized, let a = site.operand(0), let b = site.operand(1),
      let dimensions = site.graph.type(a).dimensions, dimensions == site.graph.type(b).dimensions,
      !dimensions.contains(.unknown), site.graph.constant(a) == nil, site.graph.constant(b) == nil
    else { return nil }
    let candidates = [0, 1].sorted { p, q in
      (site.operand(p).flatMap { site.graph[$0].producer } ?? -1)
        > (site.operand(q).flatMap { site.graph[$0].producer } ?? -1)
    }
    for index in candidates {
      guard let producer = site.fusibleProducer(index), producer.node.input(3) == nil else {
        continue
      }
      return try site.replace(
        node, by: producer.op,
        to: setting(3, of: producer.node.inputs, to: site.operand(1 - index)),
        after: producer.node)
    }
    return nil
  }
}
