import ModelIR
import ModelKernels
import TensorCore

extension MemoryRead: IntegerPlannedOperator {
  /// Row by row: every sum is one of whole numbers, so that any order gives the same bits, and a slot whose share
  /// rounds to nothing, or is too small, is not read.
  package func integerKernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    let layout = try layout(request)
    guard layout.rows > 0 else { return nil }
    let form = try IntegerMemory(self, request.facts(), request.outputs)
    let kernel = IntegerMemoryKernel(
      layout: layout, least: Double(epsilon), leastShare: leastShare, tier: request.tier,
      keyElement: try request.operands.required(1).fact.type.element,
      keyScales: KernelMemory(form.keyScales), valueScales: KernelMemory(form.valueScales),
      hasBias: request.operands.optional(3) != nil, output: form.output)
    let pitch = kernel.scratchByteCount
    return PlannedKernel(
      scratchByteCount: pitch * request.threads, multiplyAccumulates: layout.multiplyAccumulates
    ) { (frame) throws(ModelError) in
      frame.pool.run(tasks: layout.rows) { row, worker in
        kernel.run(frame, row, frame.scratch + worker * pitch)
      }
    }
  }
}

private struct IntegerMemoryKernel: Sendable {
  let layout: MemoryLayout
  let least: Double
  let leastShare: Float
  let tier: KernelTier
  let keyElement: ElementType
  let keyScales: KernelMemory
  let valueScales: KernelMemory
  let hasBias: Bool
  let output: QuantizationParameters?

  /// A row of directions in float32, then in steps, and a row of sums in integers, then in float32.
  private var floatsEnd: Int { alignedByteCount(layout.width * 4) }
  private var stepsEnd: Int { floatsEnd + alignedByteCount(layout.width * 2) }
  private var sumsEnd: Int { stepsEnd + alignedByteCount(layout.outputs * 4) }
  var scratchByteCount: Int { sumsEnd + alignedByteCount(layout.outputs * 4) }

  func run(_ frame: KernelFrame, _ row: Int, _ scratch: UnsafeMutableRawPointer) {
    let address = frame.output(1, as: Float.self) + row * layout.allSlots
    for head in 0..<layout.heads { score(frame, row, head, scratch, to: address) }
    tier.softmax(
      rows: layout.heads, columns: layout.slots, address, row: layout.slots, to: address,
      row: layout.slots)
    read(frame, row, scratch, address)
  }

  /// `Q61` for the slots of one head.
  private func score(
    _ frame: KernelFrame, _ row: Int, _ head: Int, _ scratch: UnsafeMutableRawPointer,
    to address: UnsafeMutablePointer<Float>
  ) {
    let width = layout.width
    let query = frame.input(0, as: Float.self) + (row * layout.heads + head) * width
    let direction = scratch.assumingMemoryBound(to: Float.self)
    let steps = (scratch + floatsEnd).assumingMemoryBound(to: Int16.self)
    NormalizeL2.normalize(query, count: width, least: least, to: direction)
    for i in 0..<width { steps[i] = IntegerMemory.steps(direction: direction[i]) }
    let slots = head * layout.slots..<(head + 1) * layout.slots
    if keyElement == .int16 {
      score(slots, steps, frame.input(1, as: Int16.self), to: address)
    } else {
      score(slots, steps, frame.input(1, as: Int8.self), to: address)
    }
  }

  private func score<Key: FixedWidthInteger>(
    _ slots: Range<Int>, _ steps: UnsafePointer<Int16>, _ keys: UnsafePointer<Key>,
    to address: UnsafeMutablePointer<Float>
  ) {
    let scales = keyScales.address.assumingMemoryBound(to: Float.self)
    for slot in slots {
      let key = keys + slot * layout.width
      var sum: Int64 = 0
      for i in 0..<layout.width {
        sum &+= Int64(Int32(steps[i]) &* Int32(truncatingIfNeeded: key[i]))
      }
      address[slot] = Float(sum) * scales[slot]
    }
  }

  /// `Q63`
  private func read(
    _ frame: KernelFrame, _ row: Int, _ scratch: UnsafeMutableRawPointer,
    _ address: UnsafePointer<Float>
  ) {
    let columns = layout.outputs
    let sums = (scratch + stepsEnd).assumingMemoryBound(to: Int32.self)
    sums.update(repeating: 0, count: columns)
    let values = frame.input(2, as: Int8.self)
    for slot in 0..<layout.allSlots where !(address[slot] < leastShare) {
      let share = IntegerMemory.steps(share: address[slot])
      guard share > 0 else { continue }
      let value = values + slot * columns
      for column in 0..<columns { sums[column] &+= share &* Int32(value[column]) }
    }
    let scales = valueScales.address.assumingMemoryBound(to: Float.self)
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
