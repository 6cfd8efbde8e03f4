import ModelIR
import TensorCore

extension Gemm: DifferentiableOperator {
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    let (a, b) = (try site.operand(0), try site.operand(1))
    let bySums = try epilogue.gradient(at: site)
    /// α times the product of two matrices or their transposes.
    func product(
      _ x: Term, _ transposeX: Bool, _ y: Term, _ transposeY: Bool
    ) throws(ModelError) -> Term {
      try x.applying(Gemm(transposeA: transposeX, transposeB: transposeY, alpha: alpha), y)
    }
    var byA: Term?
    if site.wants(0) {
      byA =
        transposeA
        ? try product(b, transposeB, bySums, true) : try product(bySums, false, b, !transposeB)
    }
    var byB: Term?
    if site.wants(1) {
      byB =
        transposeB
        ? try product(bySums, true, a, transposeA) : try product(a, !transposeA, bySums, false)
    }
    let byC =
      try site.wants(2) ? (bySums * Double(beta)).reduced(to: site.operand(2).shape) : nil
    return [byA, byB, byC, site.wants(3) ? bySums : nil, nil]
  }
}
