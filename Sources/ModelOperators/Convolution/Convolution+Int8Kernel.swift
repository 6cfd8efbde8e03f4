import ModelIR
import ModelKernels
import TensorCore

extension Convolution: IntegerPlannedOperator {
  package static var integersPreferChannelsLast: Bool { true }

  package func integerKernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    let (x, w) = (try request.operands.required(0).shape, try request.operands.required(1).shape)
    guard let input = ChannelsLastImage(x),
      let output = ChannelsLastImage(try request.outputShape())
    else { return nil }
    let geometry = try ConvolutionGeometry(self, input: x, weight: w)
    let integers = try layerIntegers(request)
    let space = WindowSpace(geometry.window, input: input, output: output)
    if geometry.isDepthwise, space.images == 1 {
      try integers.weights.load()
      return depthwise(request, integers, geometry, space)
    }
    return PlannedKernel(
      integers: integers, geometry, ConvolutionParts(geometry, input: input, output: output),
      .filtersFirst, request)
  }

  private func depthwise(
    _ request: KernelRequest, _ integers: LayerIntegers, _ geometry: ConvolutionGeometry,
    _ space: WindowSpace
  ) -> PlannedKernel {
    let (channels, taps) = (geometry.outputChannels, geometry.window.kernelCount)
    let rows = integers.weights.withElements(of: Int8.self) { Array($0) }
    let folded = (0..<channels).map { channel in
      let sum = rows[channel * taps..<(channel + 1) * taps].reduce(0) { $0 &+ Int32($1) }
      return (integers.biases?[channel] ?? 0) &- integers.layer.input.zeroPoint &* sum
    }
    var weights = rows
    for channel in 0..<channels {
      for tap in 0..<taps { weights[tap * channels + channel] = rows[channel * taps + tap] }
    }
    let kernel = IntegerDepthwise(
      tier: request.tier, threads: request.threads, window: space.window(dense: false),
      channels: channels, weights: weights, folded: folded,
      pad: Int8(truncatingIfNeeded: integers.layer.input.zeroPoint),
      residualStride: space.outputStride, epilogue: integers.layer.epilogue.kernel)
    let keepsReal = integers.layer.epilogue.keepsReal
    return PlannedKernel(
      operandLayouts: [.channelsLast, .rowMajor, .rowMajor, .channelsLast, .rowMajor],
      outputLayouts: keepsReal ? [.channelsLast, .channelsLast] : [.channelsLast],
      multiplyAccumulates: kernel.multiplyAccumulates
    ) { (frame) throws(ModelError) in
      kernel.run(
        input: frame.input(0, as: Int8.self), output: frame.outputs[0],
        integers: keepsReal ? frame.output(1, as: Int8.self) : nil,
        residual: frame.inputs.count > 3 ? frame.inputs[3] : nil, pool: frame.pool)
    }
  }
}
