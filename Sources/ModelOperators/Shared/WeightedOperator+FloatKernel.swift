import ModelIR
import ModelKernels
import TensorCore

extension PlannedKernel {
  /// Fewer positions than this do not make up for packing weights in each run.
  private static let leastPositions = 64

  /// A float32 convolution or transposed one over channels-last images, or nil where there is none: images of more
  /// than three axes, an activation known only when it runs, and weights known only then for few positions.
  init?(
    direct geometry: ConvolutionGeometry, _ order: WeightOrder, _ epilogue: FloatEpilogue,
    _ request: KernelRequest
  ) throws(ModelError) {
    let weight = try request.operands.required(1).fact.constant
    guard let input = ChannelsLastImage(try request.operands.required(0).shape),
      let output = ChannelsLastImage(try request.outputShape()),
      let activation = epilogue.activation(channels: geometry.outputChannels),
      weight != nil || geometry.batch * geometry.window.outputCount >= PlannedKernel.leastPositions
    else { return nil }
    let parts =
      order == .filtersFirst
      ? ConvolutionParts(geometry, input: input, output: output)
      : ConvolutionParts(transposed: geometry, input: input, output: output)
    let tier = request.tier
    @Sendable func forEachRows(
      of values: UnsafeBufferPointer<Float>, _ scratch: ScratchMemory,
      _ pack: (Int, Int, WeightRows<Float>) -> Void
    ) {
      guard order == .channelsFirst else {
        parts.forEachRows(of: values) { set, filters, rows in pack(set, filters.lowerBound, rows) }
        return
      }
      parts.forEachRows(
        of: values, order, scratch,
        transpose: { tier.transpose(rows: $0, columns: $1, $2, row: $1, to: $3, row: $0) },
        { set, filters, rows in pack(set, filters.lowerBound, rows) })
    }
    guard let weight else {
      let convolution = FloatConvolution(
        tier: tier, threads: request.threads, parts: parts.parts,
        channels: parts.weights.map { _ in geometry.groupOutputChannels }, activation: activation,
        isFused: !request.isExact)
      let count = try request.operands.required(1).shape.count
      self.init(convolution, epilogue, layout: .channelsLast, changing: (count, forEachRows))
      return
    }
    let convolution = FloatConvolution(
      tier: tier, threads: request.threads, parts: parts.parts,
      channels: parts.weights.map { _ in geometry.groupOutputChannels }, activation: activation,
      isFused: !request.isExact,
      origin: parts.origin(of: weight, order)
    ) { (scratch, pack) throws(ModelError) in
      try weight.withFloats(scratch) { forEachRows(of: $0, scratch.next, pack) }
    }
    self.init(convolution, epilogue, layout: .channelsLast)
  }

  /// A layer's kernel: image or rows in, image or rows out, residual (operand 3) like the output.
  ///
  /// - Parameter changing: where `convolution` has no weights: how many elements operand 1 has, and what hands on
  ///   the rows of each set of them in each run.
  init(
    _ convolution: FloatConvolution, _ epilogue: FloatEpilogue, layout: Layout,
    changing: (
      count: Int,
      forEachRows:
        @Sendable (
          UnsafeBufferPointer<Float>, ScratchMemory, (Int, Int, WeightRows<Float>) -> Void
        ) -> Void
    )? = nil
  ) {
    let scratch = alignedByteCount(convolution.scratchByteCount)
    self.init(
      operandLayouts: [layout, .rowMajor, .rowMajor, layout, .rowMajor], outputLayouts: [layout],
      scratchByteCount: scratch + (changing == nil ? 0 : convolution.packedByteCount),
      multiplyAccumulates: convolution.multiplyAccumulates,
      packed: convolution.packed.map { [$0] } ?? [],
      packedOperands: convolution.packed == nil ? [] : [1]
    ) { (frame) throws(ModelError) in
      let operands = epilogue.operands(frame)
      var weights: UnsafeRawPointer?
      if let changing {
        let packed = frame.scratch + scratch
        let values = UnsafeBufferPointer(
          start: frame.input(1, as: Float.self), count: changing.count)
        changing.forEachRows(values, ScratchMemory()) { set, first, rows in
          convolution.pack(rows, set, first, to: packed)
        }
        weights = UnsafeRawPointer(packed)
      }
      convolution.run(
        input: frame.input(0, as: Float.self), output: frame.output(0, as: Float.self),
        bias: operands.bias, residual: operands.residual, slopes: operands.slopes,
        weights: weights, scratch: frame.scratch, pool: frame.pool)
    }
  }
}
