import ModelIR
import ModelKernels
import TensorCore

/// A kernel that pools channels-last images; nil for images that kernels do not know.
private func poolingKernel(
  _ request: KernelRequest, _ geometry: WindowGeometry,
  kind: (WindowSpace) -> IntegerPool.Kind, clamp: IntegerClamp
) throws(ModelError) -> PlannedKernel? {
  guard let input = ChannelsLastImage(try request.operands.required(0).shape),
    let output = ChannelsLastImage(try request.outputShape())
  else { return nil }
  let space = WindowSpace(geometry, input: input, output: output)
  let pool = IntegerPool(
    tier: request.tier, threads: request.threads, kind: kind(space),
    window: space.window(dense: false), channels: input.channels, clamp: clamp)
  let images = space.images
  return PlannedKernel(operandLayouts: [.channelsLast], outputLayouts: [.channelsLast]) {
    (frame) throws(ModelError) in
    for image in 0..<images {
      pool.run(
        input: frame.input(0, as: Int8.self) + image * input.count,
        output: frame.output(0, as: Int8.self) + image * output.count, pool: frame.pool)
    }
  }
}

extension MaxPool: IntegerPlannedOperator {
  package static var integersPreferChannelsLast: Bool { true }

  package func integerKernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    let shape = try request.operands.required(0).shape
    return try poolingKernel(
      request, geometry(of: shape), kind: { _ in .maximum }, clamp: IntegerClamp(zeroPoint: 0))
  }
}

extension AveragePool: IntegerPlannedOperator {
  package static var integersPreferChannelsLast: Bool { true }

  package func integerKernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    let operand = try request.operands.required(0)
    let from = try IntegerArithmetic.activation(operand.fact.type, "operand")
    let to = try IntegerArithmetic.output(request.outputs)
    let geometry = try geometry(of: operand.shape)
    let after = Triple(geometry.after, filling: 0)
    return try poolingKernel(
      request, geometry,
      kind: { space in
        let size = space.inputSize
        return .average(
          zeroPoint: from.zeroPoint, multiplier: from.scale / to.scale,
          counted: countsPadding
            ? Triple(size.d + after.d, size.h + after.h, size.w + after.w) : size,
          countsPadding: countsPadding)
      },
      clamp: IntegerArithmetic.clamp(to))
  }
}

extension GlobalAveragePool: IntegerPlannedOperator {
  package static var integersPreferChannelsLast: Bool { true }

  /// One window that covers the image.
  package func integerKernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    let operand = try request.operands.required(0)
    guard operand.shape.rank >= 3 else { return nil }
    let from = try IntegerArithmetic.activation(operand.fact.type, "operand")
    let to = try IntegerArithmetic.output(request.outputs)
    let extents = Array(operand.shape.dimensions.dropFirst(2))
    let geometry = try Window().geometry(input: extents, kernel: extents)
    return try poolingKernel(
      request, geometry,
      kind: { space in
        .average(
          zeroPoint: from.zeroPoint, multiplier: from.scale / to.scale, counted: space.inputSize,
          countsPadding: false)
      },
      clamp: IntegerArithmetic.clamp(to))
  }
}
