import ModelIR
import ModelKernels
import TensorCore

/// One step of one direction of a recurrent layer in float32, for the whole batch.
struct FloatRecurrentStep {
  let tier: KernelTier
  let batch: Int
  let hidden: Int
  /// W x of every gate; rows of the batch are `inputPitch` apart.
  let input: UnsafeMutablePointer<Float>
  let inputPitch: Int
  /// Biases of W x, then of R h.
  let bias: UnsafePointer<Float>
  /// R h of every gate, without bias, one row after the other.
  let recurrent: UnsafeMutablePointer<Float>
  /// The states; the first is the output. They are replaced.
  let h: UnsafeMutablePointer<Float>
  let c: UnsafeMutablePointer<Float>
  /// R g of one gate for any row vectors g [batch × hidden], into a buffer of rows of `hidden`.
  let multiply: (_ gate: Int, _ g: UnsafePointer<Float>, _ to: UnsafeMutablePointer<Float>) -> Void
}

/// A recurrent layer with constant weights, zero or given initial states and the default functions:
/// one product for all inputs, then one for each step.
struct FloatRecurrentKernel: Sendable {
  private let gates: Int
  private let states: Int
  private let time: Int
  private let batch: Int
  private let hidden: Int
  private let features: Int
  private let recurrence: Recurrence
  private let bias: KernelMemory
  /// R of each direction, transposed: [hidden][gates · hidden].
  private let transposed: KernelMemory
  private let request: KernelRequest

  /// Nil where the layer is not of this sort.
  init?<Op: RecurrentOperator>(_ op: Op, _ request: KernelRequest) throws(ModelError) {
    let x = try request.operands.required(0).shape
    let w = try request.operands.required(1)
    let r = try request.operands.required(2)
    recurrence = op.recurrence
    guard request.isFloat32, recurrence.activations.isEmpty, recurrence.clip == nil,
      request.operands.optional(4) == nil, request.operands.optional(7) == nil,
      let weights = r.fact.constant?.floats(), x.count > 0
    else { return nil }
    if let operand = request.operands.optional(3), operand.fact.constant == nil { return nil }
    gates = Op.gates
    states = Op.states
    (time, batch) = recurrence.batchFirst ? (x[1], x[0]) : (x[0], x[1])
    features = x[2]
    hidden = r.shape[2]
    let rows = gates * hidden
    let directions = recurrence.direction.count
    let given = request.operands.optional(3)?.fact.constant?.floats()
    bias = KernelMemory(given ?? [Float](repeating: 0, count: 2 * rows * directions))
    let (units, count) = (hidden, directions)
    transposed = KernelMemory(byteCount: directions * rows * hidden * 4) { target in
      let to = target.assumingMemoryBound(to: Float.self)
      for d in 0..<count {
        for row in 0..<rows {
          for unit in 0..<units {
            to[(d * units + unit) * rows + row] = weights[(d * rows + row) * units + unit]
          }
        }
      }
    }
    guard w.shape.count == directions * rows * features else { return nil }
    self.request = request
  }

  func plan(_ step: @escaping @Sendable (FloatRecurrentStep) -> Void) -> PlannedKernel {
    let rows = gates * hidden
    let directions = recurrence.direction.count
    let projection = FloatProduct(
      m: time * batch, n: rows, k: features, transposeB: true, request)
    let projected = alignedByteCount(time * batch * rows * 4)
    // R h, the states, room for one product more, and the rounded state.
    let own = alignedByteCount(batch * (rows + 5 * hidden) * 4)
    let each = projected + own
    let count = time * batch * features
    let rounded = recurrence.roundsActivations ? alignedByteCount(count * 4) : 0
    let macs = directions * time * batch * rows * (features + hidden)
    return PlannedKernel(
      scratchByteCount: each * directions + rounded, multiplyAccumulates: macs
    ) {
      (frame) throws(ModelError) in
      var (x, w) = (frame.input(0, as: Float.self), frame.input(1, as: Float.self))
      if recurrence.roundsActivations {
        let to = (frame.scratch + directions * each).assumingMemoryBound(to: Float.self)
        round(x, to: to, count: count)
        x = UnsafePointer(to)
      }
      frame.pool.run(tasks: directions * projection.tasks) { task in
        let d = task / projection.tasks
        projection.run(
          task % projection.tasks, a: x, b: w + d * rows * features,
          c: (frame.scratch + d * each).assumingMemoryBound(to: Float.self))
      }
      frame.pool.run(tasks: directions) { d in
        run(d, frame, scratch: frame.scratch + d * each, projected: projected, step)
      }
    }
  }

  private func run(
    _ d: Int, _ frame: KernelFrame, scratch: UnsafeMutableRawPointer, projected: Int,
    _ step: (FloatRecurrentStep) -> Void
  ) {
    let rows = gates * hidden
    let directions = recurrence.direction.count
    let input = scratch.assumingMemoryBound(to: Float.self)
    let recurrent = (scratch + projected).assumingMemoryBound(to: Float.self)
    let state = [recurrent + batch * rows, recurrent + batch * (rows + hidden)]
    let rounded = recurrent + batch * (rows + 4 * hidden)
    let r = transposed.elements(of: Float.self) + d * hidden * rows
    let (tier, matrices, batch, hidden) = (request.tier, request.matrices, batch, hidden)
    func product(
      _ given: UnsafePointer<Float>, _ first: Int, _ n: Int, _ to: UnsafeMutablePointer<Float>
    ) {
      var h = given
      if recurrence.roundsActivations {
        round(given, to: rounded, count: batch * hidden)
        h = UnsafePointer(rounded)
      }
      if batch <= 2 {
        tier.multiply(
          m: batch, n: n, k: hidden, a: h, aStride: hidden, b: r + first, bStride: rows, c: to,
          cStride: n)
      } else {
        matrices.multiply(
          m: batch, n: n, k: hidden, a: h, aStride: hidden, transposeA: false, b: r + first,
          bStride: rows, transposeB: false, c: to, cStride: n, accumulate: false)
      }
    }
    for index in 0..<states { load(state[index], operand: 5 + index, d, frame) }
    let backwards = d == 1 || recurrence.direction == .reverse
    let y = frame.output(0, as: Float.self)
    for count in 0..<time {
      let t = backwards ? time - 1 - count : count
      product(state[0], 0, rows, recurrent)
      step(
        FloatRecurrentStep(
          tier: tier, batch: batch, hidden: hidden,
          input: input + (recurrence.batchFirst ? t : t * batch) * rows,
          inputPitch: (recurrence.batchFirst ? time : 1) * rows,
          bias: bias.elements(of: Float.self) + d * 2 * rows, recurrent: recurrent, h: state[0],
          c: state[1],
          multiply: { gate, g, to in product(g, gate * hidden, hidden, to) }))
      for n in 0..<batch {
        let place =
          recurrence.batchFirst
          ? (n * time + t) * directions + d : (t * directions + d) * batch + n
        (y + place * hidden).update(from: state[0] + n * hidden, count: hidden)
      }
    }
    for index in 0..<min(states, frame.outputs.count - 1) {
      let target = frame.output(1 + index, as: Float.self)
      for n in 0..<batch {
        (target + place(n, d) * hidden).update(from: state[index] + n * hidden, count: hidden)
      }
    }
  }

  /// `RC5`
  private func round(
    _ values: UnsafePointer<Float>, to rounded: UnsafeMutablePointer<Float>, count: Int
  ) {
    let range = DynamicRange(UnsafeBufferPointer(start: values, count: count))
    for i in 0..<count { rounded[i] = range.rounded(values[i]) }
  }

  private func place(_ n: Int, _ d: Int) -> Int {
    recurrence.batchFirst ? n * recurrence.direction.count + d : d * batch + n
  }

  private func load(
    _ state: UnsafeMutablePointer<Float>, operand: Int, _ d: Int, _ frame: KernelFrame
  ) {
    guard request.operands.optional(operand) != nil else {
      state.update(repeating: 0, count: batch * hidden)
      return
    }
    let source = frame.input(operand, as: Float.self)
    for n in 0..<batch {
      (state + n * hidden).update(from: source + place(n, d) * hidden, count: hidden)
    }
  }
}
