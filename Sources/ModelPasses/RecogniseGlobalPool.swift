import ModelIR
import ModelOperators
import TensorCore

/// The mean of whole planes, as exporters of images write it, as the pool that has an integer form.
///
///     %1 = ReduceMean(%x[N×C×H×W], [2, 3]) keepdims    →    %1 = GlobalAveragePool(%x)
///
/// Without keepdims a Flatten follows. Only of four axes and more: a mean over the last of three is one of rows.
package struct RecogniseGlobalPool: Rewrite {
  package static let name = "recognise-global-pool"
  package init() {}

  package func replacement(
    for node: Node, at site: inout RewriteSite
  ) throws(ModelError) -> [ValueID]? {
    guard let mean = node.op as? ReduceMean, !site.isQuantized, let x = site.operand(0),
      let rank = site.graph.type(x).rank, rank >= 4, site.graph.type(x).element.isFloatingPoint,
      let given = site.constant(1)?.integers()
    else { return nil }
    var axes: Set<Int> = []
    for axis in given { axes.insert(try Shape.resolve(axis: Int(axis), rank: rank)) }
    guard axes == Set(2..<rank) else { return nil }
    guard !mean.keepDimensions else {
      return try site.replace(node, by: GlobalAveragePool(), to: [x])
    }
    let pooled = try site.graph.appendOne(
      GlobalAveragePool(), named: "\(node.name).pool", to: [x], origin: node.origin)
    return try site.replace(node, by: Flatten(axis: 1), to: [pooled])
  }
}
