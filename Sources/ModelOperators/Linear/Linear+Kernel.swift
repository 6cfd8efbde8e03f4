import ModelIR
import ModelKernels
import TensorCore

// MARK: - Kernel

extension Linear: PlannedOperator {
  package func kernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    request.isFloat32 ? try floatKernel(request) : nil
  }

  private func floatKernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    let (x, w) = (try request.operands.required(0).shape, try request.operands.required(1).shape)
    let product = FloatProduct(
      m: x.count(0..<x.rank - 1), n: w[transposeWeight ? 0 : 1], k: w[transposeWeight ? 1 : 0],
      transposeB: transposeWeight, request)
    guard product.k > 0 else { return nil }
    return product.kernel(
      FloatEpilogue(epilogue, request, from: 2)
    ) { (_, _, _) in }
  }
}

extension FloatProduct {
  /// A kernel for operands 0 and 1, whose sums `prepare` changes before the epilogue.
  func kernel(
    _ epilogue: FloatEpilogue,
    prepare: @escaping @Sendable (KernelFrame, Range<Int>, Range<Int>) -> Void
  ) -> PlannedKernel {
    PlannedKernel(multiplyAccumulates: m * n * k) { (frame) throws(ModelError) in
      let (a, b) = (frame.input(0, as: Float.self), frame.input(1, as: Float.self))
      let c = frame.output(0, as: Float.self)
      frame.pool.run(tasks: tasks) { task in
        run(task, a: a, b: b, c: c)
        let (rows, columns) = block(task)
        prepare(frame, rows, columns)
        epilogue.finish(
          frame, offset: rows.lowerBound * n + columns.lowerBound, rows: rows.count,
          columns: columns.count, pitch: n, channel: columns.lowerBound, alongColumns: true)
      }
    }
  }
}
