import ModelIR
import ModelKernels
import TensorCore

// MARK: - Kernel

extension Linear: PlannedOperator {
  package func kernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    request.isFloat32 ? try floatKernel(request) : nil
  }

  private func floatKernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    let (x, weight) = (try request.operands.required(0).shape, try request.operands.required(1))
    let (n, k) = (
      weight.shape[transposeWeight ? 0 : 1], weight.shape[transposeWeight ? 1 : 0]
    )
    let m = x.count(0..<x.rank - 1)
    guard k > 0 else { return nil }
    let epilogue = FloatEpilogue(epilogue, request, from: 2)
    if let values = weight.fact.constant,
      let activation = epilogue.activation(channels: n)
    {
      return PlannedKernel(
        FloatConvolution(
          tier: request.tier, threads: request.threads,
          parts: [ConvolutionPart(rows: m, depth: k, channels: n)], channels: [n],
          activation: activation, isFused: !request.isExact,
          origin: origin(of: values)
        ) { (scratch, pack) throws(ModelError) in
          try values.withFloats(scratch) { pack(0, 0, rows($0, channels: n)) }
        }, epilogue, layout: .rowMajor)
    }
    return FloatProduct(m: m, n: n, k: k, transposeB: transposeWeight, request).kernel(epilogue) {
      (_, _, _) in
    }
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
