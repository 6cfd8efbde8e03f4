import ModelIR
import ModelKernels
import TensorCore

// MARK: - Kernel

extension Gemm: PlannedOperator {
  package func kernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    request.isFloat32 ? try floatKernel(request) : nil
  }

  private func floatKernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    let (a, b) = (try request.operands.required(0).shape, try request.operands.required(1).shape)
    let (m, k) = transposeA ? (a[1], a[0]) : (a[0], a[1])
    let n = transposeB ? b[0] : b[1]
    guard k > 0 else { return nil }
    let product = FloatProduct(
      m: m, n: n, k: k, transposeA: transposeA, transposeB: transposeB, request)
    let strides = try request.operands.optional(2).map { (c) throws(ModelError) in
      c.shape.broadcastStrides(to: try Shape([m, n]))
    }
    let (alpha, beta, tier) = (alpha, beta, request.tier)
    let epilogue = FloatEpilogue(epilogue, request, from: 2, hasBias: false)
    return product.kernel(epilogue) { frame, rows, columns in
      let y = frame.output(0, as: Float.self)
      for i in rows where alpha != 1 {
        for j in columns { y[i * n + j] *= alpha }
      }
      guard let strides else { return }
      let start = y + rows.lowerBound * n + columns.lowerBound
      let c =
        frame.input(2, as: Float.self) + rows.lowerBound * strides[0]
        + columns.lowerBound * strides[1]
      if beta == 1 {
        tier.combine(
          .add, rows: rows.count, columns: columns.count, RowOperand(start, row: n),
          RowOperand(c, row: strides[0], column: strides[1]), to: start, row: n)
        return
      }
      for i in 0..<rows.count {
        for j in 0..<columns.count {
          start[i * n + j] += beta * c[i * strides[0] + j * strides[1]]
        }
      }
    }
  }
}
