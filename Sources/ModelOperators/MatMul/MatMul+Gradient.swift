import ModelIR
import TensorCore

extension MatMul: DifferentiableOperator {
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    let (left, right) = (try site.operand(0), try site.operand(1))
    let (p, q) = (try left.shape, try right.shape)
    // A vector on the left is a row, one on the right a column.
    let a = try left.reshaped(to: p.rank == 1 ? [1, p[0]] : p.dimensions)
    let b = try right.reshaped(to: q.rank == 1 ? [q[0], 1] : q.dimensions)
    let outer = try site.output().shape.dimensions.dropLast(
      (p.rank > 1 ? 1 : 0) + (q.rank > 1 ? 1 : 0))
    let (height, columns) = (p.rank == 1 ? 1 : p[p.rank - 2], q.rank == 1 ? 1 : q[q.rank - 1])
    let errors = try site.gradient().reshaped(to: outer + [height, columns])
    return [
      try site.wants(0)
        ? errors.applying(MatMul(), b.transposedMatrices()).reduced(to: a.shape).reshaped(to: p)
        : nil,
      try site.wants(1)
        ? a.transposedMatrices().applying(MatMul(), errors).reduced(to: b.shape).reshaped(to: q)
        : nil,
    ]
  }
}
