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

/// The integers of one layer, ready to be packed.
struct LayerIntegers: Sendable {
  let layer: IntegerLayer
  let weights: Tensor
  /// One for each output channel; zeros without a bias.
  let bias: [Int32]

  /// Rows of weights, as many as `channels`, with the biases into which the zero point's share is folded (`Q12`).
  func packable(rows: [Int8], channels: Range<Int>) -> IntegerConvolution.Weights {
    IntegerConvolution.Weights(rows, biases: bias[channels], zeroPoint: layer.input.zeroPoint)
  }
}

extension WeightedOperator {
  func layerIntegers(_ request: KernelRequest) throws(ModelError) -> LayerIntegers {
    let layer = try integerLayer(request.facts(), request.outputs[0])
    guard let weight = try request.operands.required(1).fact.constant else {
      throw ModelError(.notQuantizable, "Q6: the weights are not constant")
    }
    let bias =
      request.operands.optional(2)?.fact.constant.map { bias in
        bias.withElements(of: Int32.self) { Array($0) }
      } ?? [Int32](repeating: 0, count: layer.epilogue.multipliers.count)
    return LayerIntegers(layer: layer, weights: weight, bias: bias)
  }
}

extension PlannedKernel {
  /// The kernel of a convolution or a transposed one over int8 images.
  init(
    integers: LayerIntegers, _ geometry: ConvolutionGeometry, _ parts: ConvolutionParts,
    _ order: WeightOrder, _ request: KernelRequest
  ) {
    let filters = geometry.groupOutputChannels
    let tier = request.tier
    self.init(
      IntegerConvolution(
        tier: tier, threads: request.threads, parts: parts.parts,
        channels: parts.weights.map { _ in filters },
        pad: Int8(truncatingIfNeeded: integers.layer.input.zeroPoint),
        epilogue: integers.layer.epilogue.kernel
      ) {
        let groups = integers.weights.withElements(of: Int8.self) { values in
          (0..<geometry.groups).map { group in
            geometry.filtersLast(values, group: group, order: order) { channels, positions, x, y in
              tier.interleave(channels: channels, positions: positions, x, to: y, pitch: channels)
            }
          }
        }
        return parts.weights.map { own in
          let first = own.group * filters
          return integers.packable(
            rows: parts.rows(of: own, from: groups[own.group]), channels: first..<first + filters)
        }
      }, layout: .channelsLast)
  }

  /// A layer's kernel: image or rows in, image or rows out, residual (operand 3) like the output.
  init(_ convolution: IntegerConvolution, layout: Layout) {
    self.init(
      operandLayouts: [layout, .rowMajor, .rowMajor, layout, .rowMajor], outputLayouts: [layout],
      scratchByteCount: convolution.scratchByteCount,
      multiplyAccumulates: convolution.multiplyAccumulates, packed: [convolution.packed]
    ) { (frame) throws(ModelError) in
      convolution.run(
        input: frame.input(0, as: Int8.self), output: frame.outputs[0],
        residual: frame.inputs.count > 3 ? frame.inputs[3] : nil, scratch: frame.scratch,
        pool: frame.pool)
    }
  }
}
