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
    var weights = integers.weights
    for channel in 0..<channels {
      for tap in 0..<taps {
        weights[tap * channels + channel] = integers.weights[channel * taps + tap]
      }
    }
    let folded = (0..<channels).map {
      integers.folded($0, integers.weights[$0 * taps..<($0 + 1) * taps])
    }
    let kernel = IntegerDepthwise(
      tier: request.tier, threads: request.threads, window: space.window(dense: false),
      channels: channels, weights: weights, folded: folded,
      pad: Int8(truncatingIfNeeded: integers.layer.input.zeroPoint),
      residualStride: space.outputStride, epilogue: integers.layer.epilogue.kernel)
    return PlannedKernel(
      operandLayouts: [.channelsLast, .rowMajor, .rowMajor, .channelsLast, .rowMajor],
      outputLayouts: [.channelsLast], multiplyAccumulates: kernel.multiplyAccumulates
    ) { (frame) throws(ModelError) in
      kernel.run(
        input: frame.input(0, as: Int8.self), output: frame.outputs[0],
        residual: frame.inputs.count > 3 ? frame.inputs[3] : nil, pool: frame.pool)
    }
  }
}
