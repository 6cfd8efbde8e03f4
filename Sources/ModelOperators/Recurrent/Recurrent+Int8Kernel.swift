import ModelIR
import ModelKernels
import TensorCore

/// The memory of one step for all sequences of a batch, in float32: `gates` sums for each unit, side by
/// side in rows of `pitch`.
struct RecurrentStep {
  let tier: KernelTier
  let rows: Int
  let hidden: Int
  let pitch: Int
  /// Sums of this step's input; rows are `gxRow` apart.
  let gx: UnsafePointer<Float>
  let gxRow: Int
  /// Sums of the state, which the step may overwrite.
  let gh: UnsafeMutablePointer<Float>
  let h: UnsafeMutablePointer<Float>
  /// The cell state of an LSTM.
  let c: UnsafeMutablePointer<Float>
  /// `rows` times `hidden` floats to work in.
  let spare: UnsafeMutablePointer<Float>
  /// A one.
  let one: UnsafePointer<Float>

  private func gate(_ index: Int) -> RowOperand { RowOperand(gh + index * hidden, row: pitch) }
  private func dense(_ values: UnsafeMutablePointer<Float>) -> RowOperand {
    RowOperand(values, row: hidden)
  }

  /// gh += gx for `count` gates from `first` on, then the function.
  private func finish(_ function: UnaryFunction, first: Int, count: Int) {
    let start = gh + first * hidden
    tier.combine(
      .add, rows: rows, columns: count * hidden, RowOperand(gx + first * hidden, row: gxRow),
      RowOperand(start, row: pitch), to: start, row: pitch)
    for row in 0..<rows {
      tier.apply(
        function, count: count * hidden, start + row * pitch, to: start + row * pitch)
    }
  }

  private func combine(
    _ function: BinaryFunction, _ a: RowOperand, _ b: RowOperand,
    to y: UnsafeMutablePointer<Float>, row: Int
  ) {
    tier.combine(function, rows: rows, columns: hidden, a, b, to: y, row: row)
  }

  /// `Q44`
  func gru() {
    finish(.sigmoid, first: 0, count: 2)
    combine(.multiply, gate(1), gate(2), to: gh + 2 * hidden, row: pitch)
    finish(.tanh, first: 2, count: 1)
    combine(.subtract, RowOperand(one, row: 0, column: 0), gate(0), to: spare, row: hidden)
    combine(.multiply, dense(spare), gate(2), to: spare, row: hidden)
    combine(.multiply, gate(0), dense(h), to: h, row: hidden)
    combine(.add, dense(spare), dense(h), to: h, row: hidden)
  }

  /// `Q45`
  func lstm(couplesForget: Bool) {
    finish(.sigmoid, first: 0, count: 3)
    finish(.tanh, first: 3, count: 1)
    if couplesForget {
      combine(
        .subtract, RowOperand(one, row: 0, column: 0), gate(0), to: gh + 2 * hidden, row: pitch)
    }
    combine(.multiply, gate(2), dense(c), to: c, row: hidden)
    combine(.multiply, gate(0), gate(3), to: spare, row: hidden)
    combine(.add, dense(c), dense(spare), to: c, row: hidden)
    tier.apply(.tanh, count: rows * hidden, c, to: spare)
    combine(.multiply, gate(1), dense(spare), to: h, row: hidden)
  }
}

extension GRU {
  package func integerKernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    try recurrentKernel(request) { $0.gru() }
  }
}

extension LSTM {
  package func integerKernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    let couplesForget = couplesForget
    return try recurrentKernel(request) { $0.lstm(couplesForget: couplesForget) }
  }
}

extension IntegerRecurrentOperator {
  /// All input sums are one product; the state's are one product for each direction and step.
  fileprivate func recurrentKernel(
    _ request: KernelRequest, step: @escaping @Sendable (RecurrentStep) -> Void
  ) throws(ModelError) -> PlannedKernel? {
    let (x, r) = (try request.operands.required(0).shape, try request.operands.required(2).shape)
    guard request.operands.optional(4) == nil, r[2] > 0, x.count > 0 else { return nil }
    let form = try IntegerRecurrence(self, request.facts(), request.outputs)
    let layout = RecurrentLayout(self, x, hidden: r[2])
    let rows = Self.gates * layout.hidden
    guard let w = try request.operands.required(1).fact.constant,
      let recurrent = try request.operands.required(2).fact.constant
    else { return nil }
    let bias = try Self.biases(request)
    func biases(_ first: Int) -> [Float]? {
      bias.map { bias in
        (0..<layout.directions).flatMap {
          bias[(2 * $0 + first) * rows..<(2 * $0 + first + 1) * rows]
        }
      }
    }
    let input = GateProduct(
      request, w, directions: layout.directions, gates: rows,
      positions: layout.time * layout.batch, pitch: layout.time * layout.batch * rows,
      threads: request.threads, input: form.input,
      scales: form.inputScales, bias: biases(0))
    // Where there are several directions, they are shared out among the threads, not their products.
    let state = GateProduct(
      request, recurrent, directions: layout.directions, gates: rows, positions: layout.batch,
      pitch: 0,
      threads: layout.directions > 1 ? 1 : request.threads, input: IntegerRecurrence.state,
      scales: form.stateScales, bias: biases(1), isRepeated: true)
    let memory = RecurrentMemory(layout, gates: rows, productByteCount: state.scratch)
    let kernel = RecurrentKernel(
      tier: request.tier, layout: layout, gates: rows, input: input, state: state, memory: memory,
      output: request.outputs[0].quantization, states: Self.states, one: KernelMemory([Float(1)]))
    return PlannedKernel(
      scratchByteCount: kernel.scratchByteCount,
      multiplyAccumulates: input.multiplyAccumulates + layout.time * state.multiplyAccumulates,
      packed: [input.packed, state.packed], packedOperands: [1, 2]
    ) { (frame) throws(ModelError) in
      kernel.run(frame, step)
    }
  }
}

/// Rows of int8 by the stacked gates' weights of each direction, float32 out, bias added (`Q43`).
private struct GateProduct: Sendable {
  private let convolution: IntegerConvolution
  private let bias: KernelMemory?

  /// - Parameters:
  ///   - pitch: from one direction's results to the next one's.
  ///   - bias: of all gates of one direction after the other.
  ///   - isRepeated: one direction runs again and again.
  init(
    _ request: KernelRequest, _ weights: Tensor, directions: Int, gates: Int, positions: Int,
    pitch: Int, threads: Int, input: QuantizationParameters, scales: [Float], bias: [Float]?,
    isRepeated: Bool = false
  ) {
    let k = weights.shape[2]
    let window = KernelWindow(rows: positions, depth: k, channels: gates)
    self.bias = bias.map { KernelMemory($0) }
    let multipliers = scales.map { input.scale * $0 }
    convolution = IntegerConvolution(
      tier: request.tier, threads: threads,
      parts: (0..<directions).map {
        ConvolutionPart(
          window: window, outputOffset: $0 * pitch, residualOffset: $0 * gates,
          tapChannels: k, firstChannel: $0 * gates, weights: $0)
      }, channels: [Int](repeating: gates, count: directions),
      pad: Int8(truncatingIfNeeded: input.zeroPoint), biases: nil,
      epilogue: KernelEpilogue(
        multipliers: (0..<directions).flatMap { _ in multipliers },
        residual: bias == nil ? nil : .float32, output: .float32),
      origin: WeightOrigin(weights, form: []), isRepeated: isRepeated
    ) { (scratch, pack) throws(ModelError) in
      try weights.withElements(of: Int8.self, scratch) { values in
        for d in 0..<directions {
          let own = UnsafeBufferPointer(rebasing: values[d * gates * k..<(d + 1) * gates * k])
          pack(d, 0, WeightRows(own, channels: gates))
        }
      }
    }
  }

  var packed: PackedWeights { convolution.packed }
  var scratch: Int { convolution.scratchByteCount }
  var multiplyAccumulates: Int { convolution.multiplyAccumulates }

  /// The rows by the weights of these directions, or of all.
  func run(
    directions: Range<Int>? = nil, _ x: UnsafePointer<Int8>, to y: UnsafeMutablePointer<Float>,
    scratch: UnsafeMutableRawPointer, pool: ThreadPool
  ) {
    convolution.run(
      parts: directions,
      IntegerConvolution.Buffers(
        input: x, output: UnsafeMutableRawPointer(y),
        residual: bias.map { UnsafeRawPointer($0.address) }), scratch: scratch, pool: pool)
  }
}

/// Offsets of the buffers of one direction in its part of a recurrent kernel's scratch.
private struct RecurrentMemory: Sendable {
  let gh: Int
  let h: Int
  let c: Int
  let spare: Int
  let hq: Int
  let product: Int
  let byteCount: Int

  init(_ layout: RecurrentLayout, gates: Int, productByteCount: Int) {
    var end = 0
    func take(_ byteCount: Int) -> Int {
      defer { end += alignedByteCount(byteCount) }
      return end
    }
    let state = layout.batch * layout.hidden * 4
    gh = take(layout.batch * gates * 4)
    h = take(state)
    c = take(state)
    spare = take(state)
    hq = take(layout.batch * layout.hidden)
    product = take(productByteCount)
    byteCount = end
  }
}

private struct RecurrentKernel: Sendable {
  let tier: KernelTier
  let layout: RecurrentLayout
  let gates: Int
  let input: GateProduct
  let state: GateProduct
  let memory: RecurrentMemory
  let output: QuantizationParameters?
  let states: Int
  let one: KernelMemory
  let alone = ThreadPool(threads: 1)

  /// Sums of the input of one direction after the other, then the memory of each direction, then what sums of the input are
  /// worked out in.
  private var directionsStart: Int { alignedByteCount(layout.directions * directionSums * 4) }
  private var inputStart: Int { directionsStart + layout.directions * memory.byteCount }
  private var directionSums: Int { layout.time * layout.batch * gates }
  var scratchByteCount: Int { inputStart + input.scratch }

  func run(_ frame: KernelFrame, _ step: (RecurrentStep) -> Void) {
    let gx = frame.scratch.assumingMemoryBound(to: Float.self)
    input.run(
      frame.input(0, as: Int8.self), to: gx, scratch: frame.scratch + inputStart, pool: frame.pool)
    guard layout.directions > 1 else {
      run(0, frame, gx, frame.scratch + directionsStart, pool: frame.pool, step)
      return
    }
    frame.pool.run(tasks: layout.directions) { d in
      run(
        d, frame, gx + d * directionSums, frame.scratch + directionsStart + d * memory.byteCount,
        pool: alone, step)
    }
  }

  /// All times of direction `d`.
  private func run(
    _ d: Int, _ frame: KernelFrame, _ gx: UnsafePointer<Float>, _ scratch: UnsafeMutableRawPointer,
    pool: ThreadPool, _ step: (RecurrentStep) -> Void
  ) {
    func floats(_ offset: Int) -> UnsafeMutablePointer<Float> {
      (scratch + offset).assumingMemoryBound(to: Float.self)
    }
    let (gh, h, c) = (floats(memory.gh), floats(memory.h), floats(memory.c))
    let hq = (scratch + memory.hq).assumingMemoryBound(to: Int8.self)
    let inverse = 1 / IntegerRecurrence.state.scale
    let count = layout.batch * layout.hidden
    for state in 0..<states { load(frame, state, d, to: state == 0 ? h : c) }
    for index in 0..<layout.time {
      let t = layout.runsBackwards(d) ? layout.time - 1 - index : index
      tier.quantize(
        count: count, h, inverseScale: inverse, to: hq, clamp: IntegerClamp(zeroPoint: 0))
      state.run(directions: d..<d + 1, hq, to: gh, scratch: scratch + memory.product, pool: pool)
      step(
        RecurrentStep(
          tier: tier, rows: layout.batch, hidden: layout.hidden, pitch: gates,
          gx: gx + layout.row(time: t, image: 0) * gates, gxRow: layout.rowsApart * gates,
          gh: gh, h: h, c: c, spare: floats(memory.spare),
          one: one.elements(of: Float.self)))
      for n in 0..<layout.batch { store(frame, h + n * layout.hidden, t, n, d) }
    }
    for state in 0..<states {
      let values = state == 0 ? h : c
      for n in 0..<layout.batch {
        let target = frame.output(1 + state, as: Float.self)
        (target + layout.state(direction: d, image: n))
          .update(from: values + n * layout.hidden, count: layout.hidden)
      }
    }
  }

  /// The initial state of direction `d`: an operand, or zeros.
  private func load(
    _ frame: KernelFrame, _ state: Int, _ d: Int, to values: UnsafeMutablePointer<Float>
  ) {
    let index = 5 + state
    let given =
      index < frame.inputs.count
      ? frame.inputs[index].map { $0.assumingMemoryBound(to: Float.self) } : nil
    for n in 0..<layout.batch {
      let row = values + n * layout.hidden
      if let given {
        row.update(from: given + layout.state(direction: d, image: n), count: layout.hidden)
      } else {
        row.update(repeating: 0, count: layout.hidden)
      }
    }
  }

  /// One step's output of one sequence (`Q46`).
  private func store(
    _ frame: KernelFrame, _ h: UnsafeMutablePointer<Float>, _ t: Int, _ n: Int, _ d: Int
  ) {
    let place = layout.output(time: t, image: n, direction: d)
    if let output {
      tier.quantize(
        count: layout.hidden, h, inverseScale: 1 / output.scale,
        to: frame.output(0, as: Int8.self) + place,
        clamp: IntegerClamp(zeroPoint: output.zeroPoint))
    } else {
      (frame.output(0, as: Float.self) + place).update(from: h, count: layout.hidden)
    }
  }
}
