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
    self.init(IntegerLayerKernel(convolution: convolution, layout: layout, keepsReal: keepsReal))
  }

  private init(_ layer: IntegerLayerKernel) {
    let convolution = layer.convolution
    self.init(
      operandLayouts: layer.operandLayouts, outputLayouts: layer.outputLayouts,
      scratchByteCount: convolution.scratchByteCount,
      multiplyAccumulates: convolution.multiplyAccumulates, packed: [convolution.packed],
      packedOperands: [1]
    ) { (frame) throws(ModelError) in
      convolution.run(
        layer.buffers(frame, to: frame.outputs[0]), scratch: frame.scratch, pool: frame.pool)
    }
    integerLayer = layer
  }

  /// The kernel of two layers with the same weights, the second of which adds what the first one makes: weights that do not stay
  /// in cache are read once for both. Its operands are ``operands(_:addedBy:)``.
  ///
  /// - Parameter sumByteCount: of the first one's output.
  /// - Returns: nil where they are not such layers.
  package init?(_ first: PlannedKernel, addedBy second: PlannedKernel, sumByteCount: Int) {
    guard let own = first.integerLayer, let other = second.integerLayer,
      own.convolution.canRun(with: other.convolution)
    else { return nil }
    let sum = alignedByteCount(sumByteCount)
    self.init(
      operandLayouts: own.operandLayouts + other.operandLayouts,
      outputLayouts: other.outputLayouts,
      scratchByteCount: sum + 2 * first.scratchByteCount,
      multiplyAccumulates: first.multiplyAccumulates + second.multiplyAccumulates,
      packed: first.packed + second.packed,
      packedOperands: first.packedOperands
        + second.packedOperands.map { IntegerLayerKernel.operandCount + $0 }
    ) { (frame) throws(ModelError) in
      own.convolution.run(
        own.buffers(frame, to: frame.scratch),
        with: (
          other.convolution,
          other.buffers(
            frame, from: IntegerLayerKernel.operandCount, residual: frame.scratch,
            to: frame.outputs[0])
        ), scratch: frame.scratch + sum, pool: frame.pool)
    }
  }

  /// The operands of two layers as their common kernel takes them.
  package static func operands<Value>(_ first: [Value?], addedBy second: [Value?]) -> [Value?] {
    let count = IntegerLayerKernel.operandCount
    let none = [Value?](repeating: nil, count: count)
    var second = second
    second[IntegerLayerKernel.residual] = nil
    return first + none.dropFirst(first.count) + second
  }
}

/// The kernel of a layer with weights: operands are the image or rows, weights, biases, a residual and slopes.
package struct IntegerLayerKernel: Sendable {
  let convolution: IntegerConvolution
  let layout: Layout
  let keepsReal: Bool

  static let operandCount = 5
  /// The place of the residual.
  static let residual = 3

  var operandLayouts: [Layout] { [layout, .rowMajor, .rowMajor, layout, .rowMajor] }
  var outputLayouts: [Layout] { keepsReal ? [layout, layout] : [layout] }

  /// - Parameters:
  ///   - first: place of its first operand.
  ///   - residual: in place of the operand.
  func buffers(
    _ frame: KernelFrame, from first: Int = 0, residual: UnsafeRawPointer? = nil,
    to output: UnsafeMutableRawPointer
  ) -> IntegerConvolution.Buffers {
    let place = first + IntegerLayerKernel.residual
    return IntegerConvolution.Buffers(
      input: frame.input(first, as: Int8.self), output: output,
      integers: keepsReal ? frame.output(1, as: Int8.self) : nil,
      residual: residual ?? (place < frame.inputs.count ? frame.inputs[place] : nil))
  }
}
