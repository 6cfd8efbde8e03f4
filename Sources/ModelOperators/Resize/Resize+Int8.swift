import ModelIR
import ModelKernels
import TensorCore

/// Where the two resized axes of an image read (`Q26`, `Q27`).
struct ResizeIndices {
  let rows: IntegerResize.Axis
  let columns: IntegerResize.Axis
}

extension Resize: IntegerOperator {
  /// Nearest neighbours along any axes; linear along the last one or two of an image.
  package func checkInteger(
    _ inputs: Operands<Fact>, _ outputs: [TensorType]
  ) throws(ModelError) {
    _ = try IntegerArithmetic.activation(try inputs.required(0).type, "operand")
    _ = try IntegerArithmetic.output(outputs)
    guard coordinates != .cropAndResize, mode != .cubic, !antialias else {
      throw ModelError(.notQuantizable, "Q27: a resize by \(mode) of \(coordinates)")
    }
    guard mode == .linear else { return }
    let x = try inputs.required(0)
    guard let rank = x.type.rank, (3...4).contains(rank) else {
      throw ModelError(.notQuantizable, "Q27: linear resizing of \(x.type)")
    }
    guard let given = x.type.dimensions, let made = outputs[0].dimensions,
      zip(given, made).prefix(2).allSatisfy({ $0.mayEqual($1) })
    else { throw ModelError(.notQuantizable, "Q27: linear resizing of channels") }
  }

  package func integerReference(
    _ inputs: Operands<Tensor>, _ outputs: [TensorType]
  ) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    let from = try IntegerArithmetic.activation(x.type, "operand")
    let to = try IntegerArithmetic.output(outputs)
    guard mode == .linear else {
      let moved = try reference(inputs).map { $0.reading(as: from) }
      return from == to ? moved : try Quantize().integerReference(Operands(moved), outputs)
    }
    guard let shape = outputs[0].shape else {
      throw ModelError(.unknownShape, "the output's shape")
    }
    let indices = try indices(x.shape, Operands(inputs.values.map { $0.map { Fact($0) } }))
    let (rows, columns) = (indices.rows, indices.columns)
    let values = x.integers().map { Float($0 - Int64(from.zeroPoint)) }
    let width = x.shape[x.shape.rank - 1]
    let plane = x.shape.count(2..<x.shape.rank)
    let m = from.scale / to.scale
    var result: [Int8] = []
    result.reserveCapacity(shape.count)
    for start in stride(from: 0, to: values.count, by: max(plane, 1)) {
      for i in rows.first.indices {
        let above = start + Int(rows.first[i]) * width
        let below = start + Int(rows.second[i]) * width
        let (v1, v0) = (rows.weight[i], 1 - rows.weight[i])
        for j in columns.first.indices {
          let (left, right) = (Int(columns.first[j]), Int(columns.second[j]))
          let (u1, u0) = (columns.weight[j], 1 - columns.weight[j])
          let a = values[above + left] * u0 + values[above + right] * u1
          let b = values[below + left] * u0 + values[below + right] * u1
          result.append(
            IntegerArithmetic.clampToInt8((a * v0 + b * v1) * m, zeroPoint: to.zeroPoint))
        }
      }
    }
    return [Tensor(shape, result, quantization: to)]
  }

  /// The indices and weights of the last two axes; an image with one spatial axis is one row high.
  func indices(_ shape: Shape, _ inputs: Operands<Fact>) throws(ModelError) -> ResizeIndices {
    let axes = try resampling(
      shape, roi: nil, scales: inputs.optional(2)?.constant, sizes: inputs.optional(3)?.constant)
    let last = shape.rank - 1
    let row = shape.rank > 3 ? Resize.axis(axes[last - 1], extent: shape[last - 1]) : nil
    return ResizeIndices(
      rows: row ?? Resize.axis(nil, extent: 1),
      columns: Resize.axis(axes[last], extent: shape[last]))
  }

  private static func axis(_ resampled: ResizeAxis?, extent: Int) -> IntegerResize.Axis {
    guard let resampled else {
      let same = (0..<extent).map { Int32($0) }
      return IntegerResize.Axis(
        first: same, second: same, weight: [Float](repeating: 0, count: extent))
    }
    var result = IntegerResize.Axis(first: [])
    for taps in resampled.taps {
      let (first, second) = (taps[0], taps[taps.count - 1])
      result.first.append(Int32(first.index))
      result.second.append(Int32(second.index))
      result.weight.append(taps.count > 1 ? Float(second.weight) : 0)
    }
    return result
  }
}

extension Resize: IntegerPlannedOperator {
  package static var integersPreferChannelsLast: Bool { true }

  package func integerKernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    let operand = try request.operands.required(0)
    let shape = try request.outputShape()
    guard (3...4).contains(shape.rank),
      operand.shape.dimensions.prefix(2) == shape.dimensions.prefix(2),
      let input = ChannelsLastImage(operand.shape), let output = ChannelsLastImage(shape)
    else { return nil }
    let from = try IntegerArithmetic.activation(operand.fact.type, "operand")
    let to = try IntegerArithmetic.output(request.outputs)
    let facts = try request.facts()
    guard [2, 3].allSatisfy({ facts.optional($0).map { $0.constant != nil } ?? true }) else {
      return nil
    }
    var indices = try indices(operand.shape, facts)
    if mode == .nearest {
      indices = ResizeIndices(
        rows: .init(first: indices.rows.first), columns: .init(first: indices.columns.first))
    }
    let multiplier = from.scale / to.scale
    let clamp = IntegerArithmetic.clamp(to)
    let resize = IntegerResize(
      tier: request.tier, threads: request.threads, rows: indices.rows, columns: indices.columns,
      channels: input.channels, inputStride: (input.stride.h, input.stride.w),
      outputStride: (output.stride.h, output.stride.w), zeroPoint: from.zeroPoint,
      multiplier: multiplier, clamp: clamp)
    let requantizes = mode == .nearest && from != to
    let tier = request.tier
    return PlannedKernel(
      operandLayouts: [.channelsLast, .rowMajor, .rowMajor, .rowMajor],
      outputLayouts: [.channelsLast]
    ) { (frame) throws(ModelError) in
      let (x, y) = (frame.input(0, as: Int8.self), frame.output(0, as: Int8.self))
      for image in 0..<input.batch {
        resize.run(
          input: x + image * input.count, output: y + image * output.count, pool: frame.pool)
      }
      guard requantizes else { return }
      frame.pool.share(shape.count, least: ThreadPool.elementwiseLeast) { part in
        tier.requantize(
          rows: 1, columns: part.count, y + part.lowerBound, row: 0, zeroPoint: from.zeroPoint,
          multiplier: multiplier, to: y + part.lowerBound, row: 0, clamp: clamp)
      }
    }
  }
}
