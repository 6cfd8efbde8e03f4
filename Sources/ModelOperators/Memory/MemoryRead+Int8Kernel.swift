import ModelIR
import ModelKernels
import TensorCore

extension MemoryRead: IntegerPlannedOperator {
  /// A few rows at a time: every sum is one of whole numbers, so that any order gives the same bits, and a slot whose share
  /// rounds to nothing, or is too small, is not read.
  package func integerKernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    let layout = try layout(request)
    guard layout.rows > 0 else { return nil }
    let form = try IntegerMemory(self, request.facts(), request.outputs)
    let keys = try request.operands.required(1).fact
    let kernel = IntegerMemoryKernel(
      layout: layout, block: min(16, (layout.rows + request.threads - 1) / request.threads),
      least: Double(epsilon), leastShare: leastShare, tier: request.tier,
      widenedKeys: keys.type.element == .int16
        ? nil
        : keys.constant.map { KernelMemory($0.integers().map { Int16(truncatingIfNeeded: $0) }) },
      keyScales: KernelMemory(form.keyScales), valueScales: KernelMemory(form.valueScales),
      hasBias: request.operands.optional(3) != nil, output: form.output)
    let pitch = kernel.scratchByteCount
    return PlannedKernel(
      scratchByteCount: pitch * request.threads, multiplyAccumulates: layout.multiplyAccumulates
    ) { (frame) throws(ModelError) in
      frame.pool.run(tasks: (layout.rows + kernel.block - 1) / kernel.block) { task, worker in
        kernel.run(frame, task * kernel.block, frame.scratch + worker * pitch)
      }
    }
  }
}

private struct IntegerMemoryKernel: Sendable {
  let layout: MemoryLayout
  /// Rows of one task.
  let block: Int
  let least: Double
  let leastShare: Float
  let tier: KernelTier
  /// Keys of 8 bits as 16.
  let widenedKeys: KernelMemory?
  let keyScales: KernelMemory
  let valueScales: KernelMemory
  let hasBias: Bool
  let output: QuantizationParameters?

  /// Directions of a head in float32, then in steps, what their products are worked out in, and a row of sums in integers,
  /// then in float32.
  private var floatsEnd: Int { alignedByteCount(block * layout.width * 4) }
  private var stepsEnd: Int { floatsEnd + alignedByteCount(block * layout.width * 2) }
  private var productsEnd: Int {
    stepsEnd + alignedByteCount(KernelTier.slotScratchByteCount(width: layout.width))
  }
  private var sumsEnd: Int { productsEnd + alignedByteCount(layout.outputs * 4) }
  var scratchByteCount: Int { sumsEnd + alignedByteCount(layout.outputs * 4) }

  /// The rows of one task.
  func run(_ frame: KernelFrame, _ first: Int, _ scratch: UnsafeMutableRawPointer) {
    let rows = min(block, layout.rows - first)
    let address = frame.output(1, as: Float.self) + first * layout.allSlots
    for head in 0..<layout.heads { score(frame, first, rows, head, scratch, to: address) }
    tier.softmax(
      rows: rows * layout.heads, columns: layout.slots, address, row: layout.slots, to: address,
      row: layout.slots)
    for row in 0..<rows { read(frame, first + row, scratch, address + row * layout.allSlots) }
  }

  /// `Q61` for the slots of one head.
  private func score(
    _ frame: KernelFrame, _ first: Int, _ rows: Int, _ head: Int,
    _ scratch: UnsafeMutableRawPointer, to address: UnsafeMutablePointer<Float>
  ) {
    let (width, slots) = (layout.width, layout.slots)
    let query = frame.input(0, as: Float.self) + (first * layout.heads + head) * width
    let directions = scratch.assumingMemoryBound(to: Float.self)
    let steps = (scratch + floatsEnd).assumingMemoryBound(to: Int16.self)
    for row in 0..<rows {
      NormalizeL2.normalize(
        query + row * layout.heads * width, count: width, least: least,
        to: directions + row * width)
    }
    tier.steps(
      count: rows * width, directions, factor: IntegerMemory.directionSteps, to: steps)
    let keys = widenedKeys.map { $0.elements(of: Int16.self) } ?? frame.input(1, as: Int16.self)
    tier.scoreSlots(
      rows: rows, slots: slots, width: width, steps, keys: keys + head * slots * width,
      scales: keyScales.elements(of: Float.self) + head * slots, to: address + head * slots,
      row: layout.allSlots, scratch: scratch + stepsEnd)
  }

  /// `Q63`
  private func read(
    _ frame: KernelFrame, _ row: Int, _ scratch: UnsafeMutableRawPointer,
    _ address: UnsafePointer<Float>
  ) {
    let columns = layout.outputs
    let sums = (scratch + productsEnd).assumingMemoryBound(to: Int32.self)
    tier.readSlots(
      layout.allSlots, columns: columns, shares: address, least: leastShare,
      values: frame.input(2, as: Int8.self), to: sums)
    let scales = valueScales.elements(of: Float.self)
    let reals =
      output == nil
      ? frame.output(0, as: Float.self) + row * columns
      : (scratch + sumsEnd).assumingMemoryBound(to: Float.self)
    for column in 0..<columns { reals[column] = Float(sums[column]) * scales[column] }
    if hasBias {
      let bias = frame.input(3, as: Float.self)
      for column in 0..<columns { reals[column] += bias[column] }
    }
    guard let output else { return }
    tier.quantize(
      count: columns, reals, inverseScale: 1 / output.scale,
      to: frame.output(0, as: Int8.self) + row * columns, clamp: IntegerArithmetic.clamp(output))
  }
}
