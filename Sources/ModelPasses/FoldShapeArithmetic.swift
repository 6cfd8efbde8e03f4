import ModelIR
import TensorCore

/// Arithmetic on extents that are known although the tensors they belong to are not.
///
///     %1 = Shape(%x[N×3×8×8])
///     %2 = Gather(%1, 2)          →    %2 = constant 8
///
/// Exact: the extents are facts of the graph.
package struct FoldShapeArithmetic: Rewrite {
  package static let name = "fold-shape-arithmetic"
  package init() {}

  package func replacement(
    for node: Node, at site: inout RewriteSite
  ) throws(ModelError) -> [ValueID]? {
    guard node.outputs.count == 1, node.op.isDeterministic, !site.isQuantized else { return nil }
    let facts = site.graph.facts(site.operands)
    guard let extents = node.op.extents(facts) else { return nil }
    let type = try Graph.infer(node.op, facts)[0]
    guard let shape = type.shape, type.element.isInteger, shape.rank <= 1,
      shape.count == extents.count
    else { return nil }
    var values: [Int64] = []
    for extent in extents {
      guard let value = extent.value else { return nil }
      values.append(Int64(value))
    }
    let tensor = Tensor(type.element, shape, integers: values)
    return [site.graph.addConstant(tensor, named: site.outputNames[0])]
  }
}
