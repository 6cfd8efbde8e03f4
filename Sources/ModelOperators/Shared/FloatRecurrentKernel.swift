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
  /// R h of every gate, or of all but the last, without bias, one row after the other.
  let recurrent: UnsafeMutablePointer<Float>
  /// The states; the first is the output. They are replaced.
  let h: UnsafeMutablePointer<Float>
  let c: UnsafeMutablePointer<Float>
  /// R g of the last gate for any row vectors g [batch × hidden], in place of what ``recurrent`` holds of it.
  let multiplyLast: (_ g: UnsafePointer<Float>) -> Void
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
  private let weights: Tensor
  private let recurrentWeights: Tensor
  private let request: KernelRequest

  /// Nil where the layer is not of this sort.
  init?<Op: RecurrentOperator>(_ op: Op, _ request: KernelRequest) throws(ModelError) {
    let x = try request.operands.required(0).shape
    let w = try request.operands.required(1)
    let r = try request.operands.required(2)
    recurrence = op.recurrence
    guard request.isFloat32, recurrence.activations.isEmpty, recurrence.clip == nil,
      request.operands.optional(4) == nil, request.operands.optional(7) == nil,
      let weights = w.fact.constant, let recurrentWeights = r.fact.constant, x.count > 0
    else { return nil }
    if let operand = request.operands.optional(3), operand.fact.constant == nil { return nil }
    gates = Op.gates
    states = Op.states
    (time, batch) = recurrence.batchFirst ? (x[1], x[0]) : (x[0], x[1])
    features = x[2]
    hidden = r.shape[2]
    let rows = gates * hidden
    let directions = recurrence.direction.count
    let given = try Op.biases(request)
    bias = KernelMemory(given ?? [Float](repeating: 0, count: 2 * rows * directions))
    guard w.shape.count == directions * rows * features else { return nil }
    self.weights = weights
    self.recurrentWeights = recurrentWeights
    self.request = request
  }

  /// Rows of R that are multiplied together: of all gates, or of all but the last and of the last.
  private struct Pieces: Sendable {
    let state: [Range<Int>]
    let last: [Range<Int>]
    var all: [Range<Int>] { state + last }
  }

  /// Bytes of R that a piece has at most, where it has more than one block of rows. Times go through the pieces there and back,
  /// so that those read last are still in cache.
  private static let pieceByteCount = 1 << 19

  private func pieces(lastGateApart: Bool) -> Pieces {
    let block = IntegerConvolution.channelBlock
    let rows = max(FloatRecurrentKernel.pieceByteCount / max(4 * hidden * block, 1), 1) * block
    func pieces(_ range: Range<Int>) -> [Range<Int>] {
      stride(from: range.lowerBound, to: range.upperBound, by: rows).map {
        $0..<min($0 + rows, range.upperBound)
      }
    }
    let last = lastGateApart ? (gates - 1) * hidden : gates * hidden
    return Pieces(state: pieces(0..<last), last: pieces(last..<gates * hidden))
  }

  /// Rows of `depth` by each of `pieces` of the weights of each direction, into rows for all gates: a part for each piece of one
  /// direction after the other.
  ///
  /// - Parameter pitch: from one direction's results to the next one's.
  private func product(
    _ weights: Tensor, _ pieces: [Range<Int>], positions: Int, depth: Int, pitch: Int, threads: Int
  ) -> FloatConvolution {
    let rows = gates * hidden
    let own = (0..<recurrence.direction.count).flatMap { d in pieces.map { (d, $0) } }
    let parts = own.enumerated().map { index, own in
      let (d, range) = own
      var window = KernelWindow(rows: positions, depth: depth, channels: range.count)
      window.outputStride = KernelWindow.denseStride(window.outputSize, pitch: rows)
      return ConvolutionPart(
        window: window, outputOffset: d * pitch + range.lowerBound, tapChannels: depth,
        weights: index)
    }
    return FloatConvolution(
      tier: request.tier, threads: threads, parts: parts, channels: own.map(\.1.count),
      activation: .none, isFused: !request.isExact, origin: WeightOrigin(weights, form: [])
    ) { (scratch, pack) throws(ModelError) in
      try weights.withFloats(scratch) { values in
        for (index, (d, range)) in own.enumerated() {
          let start = (d * rows + range.lowerBound) * depth
          let piece = UnsafeBufferPointer(rebasing: values[start..<start + range.count * depth])
          pack(index, 0, WeightRows(piece, channels: range.count))
        }
      }
    }
  }

  /// - Parameter lastGateApart: ``FloatRecurrentStep/recurrent`` holds the last gate only once ``FloatRecurrentStep/multiplyLast``
  ///   was called.
  func plan(
    lastGateApart: Bool = false, _ step: @escaping @Sendable (FloatRecurrentStep) -> Void
  ) -> PlannedKernel {
    let rows = gates * hidden
    let directions = recurrence.direction.count
    let pieces = pieces(lastGateApart: lastGateApart)
    let projected = alignedByteCount(time * batch * rows * 4)
    // Directions are shared out among the threads, not their products.
    let state = product(
      recurrentWeights, pieces.all, positions: batch, depth: hidden, pitch: 0, threads: 1)
    // R h, the states and as much again, and the rounded state.
    let own = alignedByteCount(batch * (rows + 4 * hidden) * 4)
    let each = projected + own + alignedByteCount(state.scratchByteCount)
    let input = product(
      weights, [0..<rows], positions: time * batch, depth: features, pitch: each / 4,
      threads: request.threads)
    let count = time * batch * features
    let rounded = recurrence.roundsActivations ? alignedByteCount(count * 4) : 0
    let macs = directions * time * batch * rows * (features + hidden)
    let alone = ThreadPool(threads: 1)
    return PlannedKernel(
      scratchByteCount: each * directions + rounded + input.scratchByteCount,
      multiplyAccumulates: macs, packed: [input, state].compactMap(\.packed),
      packedOperands: [1, 2]
    ) { (frame) throws(ModelError) in
      var x = frame.input(0, as: Float.self)
      if recurrence.roundsActivations {
        let to = (frame.scratch + directions * each).assumingMemoryBound(to: Float.self)
        round(x, to: to, count: count)
        x = UnsafePointer(to)
      }
      input.run(
        input: x, output: frame.scratch.assumingMemoryBound(to: Float.self), bias: nil,
        residual: nil, slopes: nil, scratch: frame.scratch + directions * each + rounded,
        pool: frame.pool)
      frame.pool.run(tasks: directions) { d in
        run(
          d, frame, state, pieces, pool: alone, scratch: frame.scratch + d * each,
          projected: projected, own: own, step)
      }
    }
  }

  private func run(
    _ d: Int, _ frame: KernelFrame, _ product: FloatConvolution, _ pieces: Pieces, pool: ThreadPool,
    scratch: UnsafeMutableRawPointer, projected: Int, own: Int,
    _ step: (FloatRecurrentStep) -> Void
  ) {
    let rows = gates * hidden
    let directions = recurrence.direction.count
    let input = scratch.assumingMemoryBound(to: Float.self)
    let recurrent = (scratch + projected).assumingMemoryBound(to: Float.self)
    let state = [recurrent + batch * rows, recurrent + batch * (rows + hidden)]
    let rounded = recurrent + batch * (rows + 3 * hidden)
    let first = d * (pieces.state.count + pieces.last.count)
    let (all, last) = (
      first..<first + pieces.state.count,
      first + pieces.state.count..<first + pieces.state.count + pieces.last.count
    )
    func multiply(_ given: UnsafePointer<Float>, by parts: Range<Int>, isBack: Bool) {
      var h = given
      if recurrence.roundsActivations {
        round(given, to: rounded, count: batch * hidden)
        h = UnsafePointer(rounded)
      }
      for index in parts {
        let part = isBack ? parts.upperBound - 1 - (index - parts.lowerBound) : index
        product.run(
          parts: part..<part + 1, input: h, output: recurrent, bias: nil, residual: nil,
          slopes: nil, scratch: scratch + projected + own, pool: pool)
      }
    }
    for index in 0..<states { load(state[index], operand: 5 + index, d, frame) }
    let backwards = d == 1 || recurrence.direction == .reverse
    let y = frame.output(0, as: Float.self)
    for count in 0..<time {
      let t = backwards ? time - 1 - count : count
      let isBack = count % 2 == 1
      multiply(state[0], by: all, isBack: isBack)
      step(
        FloatRecurrentStep(
          tier: request.tier, batch: batch, hidden: hidden,
          input: input + (recurrence.batchFirst ? t : t * batch) * rows,
          inputPitch: (recurrence.batchFirst ? time : 1) * rows,
          bias: bias.elements(of: Float.self) + d * 2 * rows, recurrent: recurrent, h: state[0],
          c: state[1],
          multiplyLast: { multiply($0, by: last, isBack: isBack) }))
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
