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
      let clamp = IntegerClamp(zeroPoint: zeroPoint, low: low, high: high)
      result.output = keepsReal ? .both(clamp, scale: scale) : .int8(clamp, scale: scale)
    }
    return result
  }
}

/// The integers of one layer, ready to be packed.
struct LayerIntegers: Sendable {
  let layer: IntegerLayer
  let weights: Tensor
  /// One for each output channel, where there are any.
  let biases: [Int32]?
}

extension WeightedOperator {
  func layerIntegers(_ request: KernelRequest) throws(ModelError) -> LayerIntegers {
    var layer = try integerLayer(request.facts(), request.outputs[0])
    if let stored = request.stored { layer.epilogue.store(as: stored) }
    guard let weight = try request.operands.required(1).fact.constant else {
      throw ModelError(.notQuantizable, "Q6: the weights are not constant")
    }
    let biases = request.operands.optional(2)?.fact.constant.map { biases in
      biases.withElements(of: Int32.self) { Array($0) }
    }
    return LayerIntegers(layer: layer, weights: weight, biases: biases)
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
        pad: Int8(truncatingIfNeeded: integers.layer.input.zeroPoint), biases: integers.biases,
        epilogue: integers.layer.epilogue.kernel, origin: parts.origin(of: integers.weights, order)
      ) { (scratch, pack) throws(ModelError) in
        try integers.weights.withElements(of: Int8.self, scratch) { values in
          parts.forEachRows(
            of: values, order, scratch.next,
            transpose: { tier.transpose(rows: $0, columns: $1, $2, row: $1, to: $3, row: $0) }
          ) { set, range, rows in pack(set, range.lowerBound, rows) }
        }
      }, layout: .channelsLast, keepsReal: integers.layer.epilogue.keepsReal)
  }

  /// A layer's kernel: image or rows in, image or rows out, residual (operand 3) like the output, as are the integers beside it.
  init(_ convolution: IntegerConvolution, layout: Layout, keepsReal: Bool) {
    self.init(
      operandLayouts: [layout, .rowMajor, .rowMajor, layout, .rowMajor],
      outputLayouts: keepsReal ? [layout, layout] : [layout],
      scratchByteCount: convolution.scratchByteCount,
      multiplyAccumulates: convolution.multiplyAccumulates, packed: [convolution.packed],
      packedOperands: [1]
    ) { (frame) throws(ModelError) in
      convolution.run(
        input: frame.input(0, as: Int8.self), output: frame.outputs[0],
        integers: keepsReal ? frame.output(1, as: Int8.self) : nil,
        residual: frame.inputs.count > 3 ? frame.inputs[3] : nil, scratch: frame.scratch,
        pool: frame.pool)
    }
  }
}
