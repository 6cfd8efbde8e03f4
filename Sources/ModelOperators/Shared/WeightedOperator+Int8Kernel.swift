import ModelIR
import ModelKernels
import TensorCore

extension IntegerEpilogue {
  /// The same formula for the kernels.
  var kernel: KernelEpilogue {
    var result = KernelEpilogue(multipliers: multipliers, output: .float32)
    switch kind {
    case .none: break
    case .relu: result.activation = .relu
    case .leaky: result.activation = .leaky(slopes)
    case .function(let epilogue):
      if let function = epilogue.function {
        let (p0, p1) = epilogue.parameters
        result.activation = .function(function, p0, p1)
      }
    }
    if let residual {
      if let zeroPoint = residual.zeroPoint {
        result.residual = .int8(zeroPoint: zeroPoint, multiplier: residual.multiplier)
      } else {
        result.residual = .float32
      }
    }
    if let zeroPoint {
      result.output = .int8(IntegerClamp(zeroPoint: zeroPoint, low: low, high: high), scale: scale)
    }
    return result
  }
}

/// The integers of one layer, ready to be packed: weights and bias as Swift arrays.
struct LayerIntegers {
  let layer: IntegerLayer
  let weights: [Int8]
  /// One for each output channel; zeros without a bias.
  let bias: [Int32]

  /// The bias of `channel` with the zero point's share of `weights` folded in (`Q12`).
  func folded(_ channel: Int, _ weights: ArraySlice<Int8>) -> Int32 {
    var sum: Int32 = 0
    for weight in weights { sum &+= Int32(weight) }
    return bias[channel] &- layer.input.zeroPoint &* sum
  }

  /// Rows of `k` weights with their folded biases, for the channels from `firstChannel` on.
  func packable(
    rows: [Int8], channels: Int, k: Int, firstChannel: Int
  ) -> (KernelWeights, folded: [Int32]) {
    let folded = (0..<channels).map {
      self.folded(firstChannel + $0, rows[$0 * k..<($0 + 1) * k])
    }
    return (KernelWeights(rows, channels: channels, k: k), folded)
  }
}

extension WeightedOperator {
  func layerIntegers(_ request: KernelRequest) throws(ModelError) -> LayerIntegers {
    let layer = try integerLayer(request.facts(), request.outputs[0])
    guard let weight = try request.operands.required(1).fact.constant else {
      throw ModelError(.notQuantizable, "Q6: the weights are not constant")
    }
    let weights = weight.withElements(of: Int8.self) { Array($0) }
    let bias =
      request.operands.optional(2)?.fact.constant.map { bias in
        bias.withElements(of: Int32.self) { Array($0) }
      } ?? [Int32](repeating: 0, count: layer.epilogue.multipliers.count)
    return LayerIntegers(layer: layer, weights: weights, bias: bias)
  }
}

extension PlannedKernel {
  /// The kernel of a convolution or a transposed one over int8 images.
  init(
    integers: LayerIntegers, _ geometry: ConvolutionGeometry, _ parts: ConvolutionParts,
    _ order: WeightOrder, _ request: KernelRequest
  ) {
    let groups = (0..<geometry.groups).map { group in
      geometry.filtersLast(integers.weights, group: group, order: order) {
        channels, positions, x, y in
        request.tier.interleave(
          channels: channels, positions: positions, x, to: y, pitch: channels)
      }
    }
    let filters = geometry.groupOutputChannels
    let weights = parts.weights.map { own in
      integers.packable(
        rows: parts.rows(of: own, from: groups[own.group]), channels: filters,
        k: own.elements.count * geometry.groupInputChannels, firstChannel: own.group * filters)
    }
    self.init(
      IntegerConvolution(
        tier: request.tier, threads: request.threads, parts: parts.parts, weights: weights,
        pad: Int8(truncatingIfNeeded: integers.layer.input.zeroPoint),
        epilogue: integers.layer.epilogue.kernel),
      layout: .channelsLast)
  }

  /// A layer's kernel: image or rows in, image or rows out, residual (operand 3) like the output.
  init(_ convolution: IntegerConvolution, layout: Layout) {
    self.init(
      operandLayouts: [layout, .rowMajor, .rowMajor, layout, .rowMajor], outputLayouts: [layout],
      scratchByteCount: convolution.scratchByteCount,
      multiplyAccumulates: convolution.multiplyAccumulates
    ) { (frame) throws(ModelError) in
      convolution.run(
        input: frame.input(0, as: Int8.self), output: frame.outputs[0],
        residual: frame.inputs.count > 3 ? frame.inputs[3] : nil, scratch: frame.scratch,
        pool: frame.pool)
    }
  }
}
