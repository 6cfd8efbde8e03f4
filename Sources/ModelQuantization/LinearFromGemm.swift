import ModelIR
import ModelOperators
import TensorCore

/// A matrix product with a constant matrix becomes a linear layer: what has an integer form.
///
///     %y = Gemm(%x, %w, %b) {transposeB=true}   →   %y = Linear(%x, %w, %b) {transposeWeight=true}
///     %y = MatMul(%x, %w)                       →   %y = Linear(%x, %w)
///
/// Exact: the same products in the same order.
struct LinearFromGemm: Rewrite {
  static let name = "linear-from-gemm"

  func replacement(for node: Node, at site: inout RewriteSite) throws(ModelError) -> [ValueID]? {
    guard let weight = site.constant(1), weight.element == .float32, weight.shape.rank == 2 else {
      return nil
    }
    if let gemm = node.op as? Gemm {
      guard !gemm.transposeA, gemm.alpha == 1, gemm.beta == 1 else { return nil }
      let columns = weight.shape[gemm.transposeB ? 0 : 1]
      var operands = site.operands
      if let c = site.operand(2) {
        guard let bias = site.constant(2), bias.count == columns || bias.count == 1 else {
          return nil
        }
        let values = bias.floats()
        let row = bias.count == columns ? values : [Float](repeating: values[0], count: columns)
        operands[2] =
          bias.shape.dimensions == [columns]
          ? c : site.graph.addConstant(Tensor(vector: row), named: "\(node.name).bias")
      }
      let op = Linear(transposeWeight: gemm.transposeB, epilogue: gemm.epilogue)
      return try site.graph.append(op, named: node.name, to: operands, origin: node.origin)
    }
    guard node.op is MatMul, (site.type(0)?.rank ?? 0) >= 2 else { return nil }
    return try site.graph.append(
      Linear(transposeWeight: false), named: node.name, to: site.operands, origin: node.origin)
  }
}
