import ModelIR
import ModelOperators
import TensorCore

/// A transposed matrix into the product that reads it.
///
///     %1 = Transpose(%b)
///     %2 = MatMul(%a, %1)      →    %2 = Gemm(%a, %b) transposeB
///
/// For matrices (rank 2) of floats, on either side, before MatMul or Gemm. Exact.
package struct FuseTranspose: Rewrite {
  package static let name = "fuse-transpose"
  package init() {}

  package func replacement(
    for node: Node, at site: inout RewriteSite
  ) throws(ModelError) -> [ValueID]? {
    guard !site.isQuantized, site.type(0)?.rank == 2, site.type(1)?.rank == 2,
      site.type(0)?.element.isFloatingPoint == true
    else { return nil }
    var op: Gemm
    switch node.op {
    case is MatMul: op = Gemm()
    case let gemm as Gemm: op = gemm
    default: return nil
    }
    var operands = site.operands
    var found = false
    for index in 0...1 {
      guard let transpose = site.producer(index, as: Transpose.self),
        try transpose.op.order(rank: 2) == [1, 0]
      else { continue }
      operands[index] = transpose.node.input(0)
      if index == 0 { op.transposeA.toggle() } else { op.transposeB.toggle() }
      found = true
    }
    return found ? try site.replace(node, by: op, to: operands) : nil
  }
}
