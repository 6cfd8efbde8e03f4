import ModelIR
import ModelKernels
import TensorCore

extension PlannedKernel {
  /// A float32 convolution or transposed one with constant weights over channels-last images, or nil where
  /// there is none: images of more than three axes, weights or an activation known only when it runs.
  init?(
    direct geometry: ConvolutionGeometry, _ order: WeightOrder, _ epilogue: FloatEpilogue,
    _ request: KernelRequest
  ) throws(ModelError) {
    guard let weight = try request.operands.required(1).fact.constant,
      let input = ChannelsLastImage(try request.operands.required(0).shape),
      let output = ChannelsLastImage(try request.outputShape()),
      let activation = epilogue.activation(channels: geometry.outputChannels)
    else { return nil }
    let parts =
      order == .filtersFirst
      ? ConvolutionParts(geometry, input: input, output: output)
      : ConvolutionParts(transposed: geometry, input: input, output: output)
    let values = weight.floats()
    let groups = (0..<geometry.groups).map { group in
      geometry.filtersLast(values, group: group, order: order) { channels, positions, x, y in
        request.tier.interleave(
          channels: channels, positions: positions, x, to: y, pitch: channels)
      }
    }
    let convolution = FloatConvolution(
      tier: request.tier, threads: request.threads, parts: parts.parts,
      weights: parts.weights.map {
        FloatConvolution.Weights(
          parts.rows(of: $0, from: groups[$0.group]), channels: geometry.groupOutputChannels)
      }, activation: activation, isFused: !request.isExact)
    self.init(convolution, epilogue, layout: .channelsLast)
  }

  /// A layer's kernel: image or rows in, image or rows out, residual (operand 3) like the output.
  init(_ convolution: FloatConvolution, _ epilogue: FloatEpilogue, layout: Layout) {
    self.init(
      operandLayouts: [layout, .rowMajor, .rowMajor, layout, .rowMajor],
      outputLayouts: [layout], scratchByteCount: convolution.scratchByteCount,
      multiplyAccumulates: convolution.multiplyAccumulates
    ) { (frame) throws(ModelError) in
      let operands = epilogue.operands(frame)
      convolution.run(
        input: frame.input(0, as: Float.self), output: frame.output(0, as: Float.self),
        bias: operands.bias, residual: operands.residual, slopes: operands.slopes,
        scratch: frame.scratch, pool: frame.pool)
    }
  }
}
