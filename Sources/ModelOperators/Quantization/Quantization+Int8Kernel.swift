import ModelIR
import ModelKernels
import TensorCore

/// Kernels that treat every element alike run over the elements in whatever layout operand 0 has.
private func elementwise(
  _ layout: Layout, operands: Int = 1, overwrites: Bool,
  _ run: @escaping @Sendable (KernelFrame) -> Void
) -> PlannedKernel {
  PlannedKernel(
    operandLayouts: [layout] + [Layout](repeating: .rowMajor, count: operands - 1),
    outputLayouts: [layout], overwritableOperands: overwrites ? [0] : []
  ) { (frame) throws(ModelError) in run(frame) }
}

extension ChannelsLastImage {
  /// Calls `body` for neighbouring positions, in parallel where there are enough: with the first one's element in a row-major image,
  /// that in a channels-last one, and how many there are.
  fileprivate func shareOut(
    on pool: ThreadPool, _ body: (_ planar: Int, _ position: Int, _ positions: Int) -> Void
  ) {
    pool.share(images: batch, positions: size.product, channels: channels) { image, part in
      let start = image * count
      body(start + part.lowerBound, start + part.lowerBound * channels, part.count)
    }
  }
}

extension Quantize: IntegerPlannedOperator {
  package func integerKernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    let operand = try request.operands.required(0)
    let to = try IntegerArithmetic.output(request.outputs)
    let clamp = IntegerArithmetic.clamp(to)
    let tier = request.tier
    let count = operand.shape.count
    let layout = try request.layoutOfFirst()
    if let from = operand.fact.type.quantization {
      let multiplier = from.scale / to.scale
      return elementwise(layout, overwrites: true) { frame in
        let (x, y) = (frame.input(0, as: Int8.self), frame.output(0, as: Int8.self))
        frame.pool.share(count, least: ThreadPool.elementwiseLeast) { part in
          tier.requantize(
            rows: 1, columns: part.count, x + part.lowerBound, row: 0, zeroPoint: from.zeroPoint,
            multiplier: multiplier, to: y + part.lowerBound, row: 0, clamp: clamp)
        }
      }
    }
    let inverse = 1 / to.scale
    if layout == .rowMajor, request.preferredLayout == .channelsLast,
      let image = ChannelsLastImage(operand.shape)
    {
      return PlannedKernel(operandLayouts: [.rowMajor], outputLayouts: [.channelsLast]) {
        (frame) throws(ModelError) in
        let (x, y) = (frame.input(0, as: Float.self), frame.output(0, as: Int8.self))
        image.shareOut(on: frame.pool) { planar, position, positions in
          tier.quantizeInterleaved(
            channels: image.channels, positions: positions, x + planar, plane: image.size.product,
            inverseScale: inverse, to: y + position, pitch: image.channels, clamp: clamp)
        }
      }
    }
    return elementwise(layout, overwrites: false) { frame in
      let (x, y) = (frame.input(0, as: Float.self), frame.output(0, as: Int8.self))
      frame.pool.share(count, least: ThreadPool.elementwiseLeast) { part in
        tier.quantize(
          count: part.count, x + part.lowerBound, inverseScale: inverse, to: y + part.lowerBound,
          clamp: clamp)
      }
    }
  }
}

extension Dequantize: IntegerPlannedOperator {
  package func integerKernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    let operand = try request.operands.required(0)
    let tier = request.tier
    if let parameters = operand.fact.type.quantization, let axis = parameters.axis {
      return rows(operand.shape, axis, parameters.scales, tier)
    }
    let from = try IntegerArithmetic.activation(operand.fact.type, "operand")
    let count = operand.shape.count
    let layout = try request.layoutOfFirst()
    if layout == .channelsLast, request.preferredLayout == .rowMajor,
      let image = ChannelsLastImage(operand.shape)
    {
      return PlannedKernel(operandLayouts: [.channelsLast], outputLayouts: [.rowMajor]) {
        (frame) throws(ModelError) in
        let (x, y) = (frame.input(0, as: Int8.self), frame.output(0, as: Float.self))
        image.shareOut(on: frame.pool) { planar, position, positions in
          tier.dequantizeDeinterleaved(
            channels: image.channels, positions: positions, x + position, pitch: image.channels,
            scale: from.scale, zeroPoint: from.zeroPoint, to: y + planar, plane: image.size.product)
        }
      }
    }
    return elementwise(layout, overwrites: false) { frame in
      let (x, y) = (frame.input(0, as: Int8.self), frame.output(0, as: Float.self))
      frame.pool.share(count, least: ThreadPool.elementwiseLeast) { part in
        tier.dequantize(
          count: part.count, x + part.lowerBound, scale: from.scale, zeroPoint: from.zeroPoint,
          to: y + part.lowerBound)
      }
    }
  }

  /// A table with a scale for each index of `axis` (`Q69`).
  private func rows(
    _ shape: Shape, _ axis: Int, _ scales: [Float], _ tier: KernelTier
  ) -> PlannedKernel {
    let run = shape.count(axis + 1..<shape.rank)
    let count = shape.count(0..<axis + 1)
    return PlannedKernel { (frame) throws(ModelError) in
      let (x, y) = (frame.input(0, as: Int8.self), frame.output(0, as: Float.self))
      for row in 0..<count {
        tier.dequantize(
          count: run, x + row * run, scale: scales[row % scales.count], zeroPoint: 0,
          to: y + row * run)
      }
    }
  }
}

extension LookupTable: IntegerPlannedOperator {
  package func integerKernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    let tier = request.tier
    let count = try request.operands.required(0).shape.count
    return elementwise(try request.layoutOfFirst(), operands: 2, overwrites: true) { frame in
      let (x, y) = (frame.input(0, as: Int8.self), frame.output(0, as: Int8.self))
      let entries = frame.input(1, as: Int8.self)
      frame.pool.share(count, least: ThreadPool.elementwiseLeast) { part in
        tier.lookUp(
          rows: 1, columns: part.count, x + part.lowerBound, row: 0, in: entries,
          to: y + part.lowerBound, row: 0)
      }
    }
  }
}
