import ModelIR
import ModelKernels
import TensorCore

extension Convolution: IntegerPlannedOperator {
  package static var integersPreferChannelsLast: Bool { true }

  /// Images of up to two spatial axes take their batch as the first of the kernel's three axes; others
  /// are one part for each image.
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
    let filters = geometry.groupOutputChannels
    let depth = geometry.groupInputChannels
    let kernelCount = geometry.window.kernelCount
    let k = kernelCount * depth
    let isDense = groups == 1 && space.isDenseAlongWidth
    var parts: [IntegerConvolution.Part] = []
    var weights: [(KernelWeights, folded: [Int32])] = []
    for group in 0..<groups {
      let rows = integers.interleaved(
        request.tier, from: group * filters * k, matrices: filters, channels: depth,
        positions: kernelCount)
      weights.append(
        integers.packable(rows: rows, channels: filters, k: k, firstChannel: group * filters))
      for image in 0..<space.images {
        parts.append(
          IntegerConvolution.Part(
            window: space.window(dense: isDense), inputOffset: image * input.count + group * depth,
            outputOffset: image * output.count + group * filters,
            residualOffset: image * output.count + group * filters,
            residualStride: space.outputStride,
            tapPixels: isDense ? space.kernel.w : 1, tapChannels: depth,
            firstChannel: group * filters, weights: group))
      }
    }
    return PlannedKernel(
      IntegerConvolution(
        tier: request.tier, threads: request.threads, parts: parts, weights: weights,
        pad: Int8(truncatingIfNeeded: integers.layer.input.zeroPoint),
        epilogue: integers.layer.epilogue.kernel),
      layout: .channelsLast)
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

/// A window over channels-last images in the kernels' three axes. The batch is the first of them where
/// an axis is free, and `images` counts what is left to loop over.
struct WindowSpace {
  let images: Int
  let kernel: Triple
  let inputSize: Triple
  let outputSize: Triple
  let step: Triple
  let dilation: Triple
  let before: Triple
  let inputStride: Triple
  let outputStride: Triple

  init(_ geometry: WindowGeometry, input: ChannelsLastImage, output: ChannelsLastImage) {
    let takesBatch = geometry.rank < 3
    images = takesBatch ? 1 : input.batch
    kernel = Triple(geometry.kernel)
    step = Triple(geometry.strides)
    dilation = Triple(geometry.dilations)
    before = Triple(geometry.before, filling: 0)
    var (inputSize, outputSize) = (input.size, output.size)
    var (inputStride, outputStride) = (input.stride, output.stride)
    if takesBatch {
      inputSize.d = input.batch
      outputSize.d = input.batch
      inputStride.d = input.count
      outputStride.d = output.count
    }
    self.inputSize = inputSize
    self.outputSize = outputSize
    self.inputStride = inputStride
    self.outputStride = outputStride
  }

  /// True where the taps of one kernel row read neighbouring positions.
  var isDenseAlongWidth: Bool { dilation.w == 1 }

  /// Taps in kernel order; with `dense`, one for each kernel row, at its first position.
  func taps(dense: Bool) -> [Triple] {
    var taps: [Triple] = []
    for d in 0..<kernel.d {
      for h in 0..<kernel.h {
        for w in 0..<(dense ? 1 : kernel.w) {
          taps.append(
            Triple(
              d * dilation.d - before.d, h * dilation.h - before.h, w * dilation.w - before.w))
        }
      }
    }
    return taps
  }

  func window(dense: Bool) -> KernelWindow {
    KernelWindow(
      inputSize: inputSize, outputSize: outputSize, step: step, taps: taps(dense: dense),
      inputStride: inputStride, outputStride: outputStride)
  }
}
