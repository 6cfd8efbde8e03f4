import ModelIR
import TensorCore

extension Linear: DifferentiableOperator {
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    let (x, w) = (try site.operand(0), try site.operand(1))
    let shape = try x.shape
    let bySums = try epilogue.gradient(at: site)
    let (depth, width) = (shape[shape.rank - 1], try bySums.shape.dimensions.last ?? 1)
    let rows = depth == 0 ? 0 : shape.count / depth
    let errors = try bySums.reshaped(to: [rows, width])
    let byX =
      try site.wants(0)
      ? errors.applying(Gemm(transposeB: !transposeWeight), w).reshaped(to: shape) : nil
    var byW: Term?
    if site.wants(1) {
      let inputs = try x.reshaped(to: [rows, depth])
      byW =
        transposeWeight
        ? try errors.applying(Gemm(transposeA: true), inputs)
        : try inputs.applying(Gemm(transposeA: true), errors)
    }
    return [byX, byW]
      + (try epilogue.gradients(of: bySums, at: site, from: 2, axis: shape.rank - 1))
  }
}
