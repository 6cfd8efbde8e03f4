import ModelIR
import TensorCore

/// A recurrent operator whose products run on integers while its gates stay float32 (`Q42`–`Q46`).
package protocol IntegerRecurrentOperator: RecurrentOperator, IntegerPlannedOperator {
  /// - Throws: `not-quantizable` for attributes that the integer form does not have.
  func checkIntegerForm() throws(ModelError)
  /// `Q44` or `Q45` for all units: the states after one step from the gates' sums.
  func integerStep(_ gx: ArraySlice<Float>, _ gh: [Float], _ states: [[Float]]) -> [[Float]]
}

/// The parts of a recurrent operator's integer form, checked.
struct IntegerRecurrence {
  let input: QuantizationParameters
  /// Scales of the rows of W and R.
  let inputScales: [Float]
  let stateScales: [Float]

  /// How the state reads when it meets R.
  static let state = QuantizationParameters(scale: 1 / 127, zeroPoint: 0)

  /// - Throws: `not-quantizable` with the clause that is broken.
  init(
    _ op: some IntegerRecurrentOperator, _ inputs: Operands<Fact>, _ outputs: [TensorType]
  ) throws(ModelError) {
    try op.checkIntegerForm()
    guard
      op.recurrence.activations.isEmpty
        || op.recurrence.activations.chunked(by: type(of: op).defaultActivations)
    else { throw ModelError(.notQuantizable, "Q42: functions other than the default ones") }
    guard !op.recurrence.roundsActivations else {
      throw ModelError(.notQuantizable, "Q42: activations rounded to ranges of their own")
    }
    guard op.recurrence.clip == nil, inputs.optional(7) == nil else {
      throw ModelError(.notQuantizable, "Q42: a clip or peepholes")
    }
    input = try IntegerArithmetic.activation(try inputs.required(0).type, "operand")
    inputScales = try IntegerRecurrence.scales(try inputs.required(1), input)
    stateScales = try IntegerRecurrence.scales(try inputs.required(2), IntegerRecurrence.state)
    for index in [3, 5, 6] {
      guard let operand = inputs.optional(index), operand.type.quantization != nil else { continue }
      throw ModelError(.notQuantizable, "Q42: operand \(index) is \(operand.type), not float32")
    }
    if let bias = inputs.optional(3), bias.constant == nil {
      throw ModelError(.notQuantizable, "Q42: the bias is not constant")
    }
    if outputs[0].quantization != nil { _ = try IntegerArithmetic.activation(outputs[0], "output") }
    guard outputs.dropFirst().allSatisfy({ $0.quantization == nil }) else {
      throw ModelError(.notQuantizable, "Q46: the final states are float32")
    }
  }

  private static func scales(
    _ weight: Fact, _ input: QuantizationParameters
  ) throws(ModelError) -> [Float] {
    guard let shape = weight.type.shape, shape.rank == 3 else {
      throw ModelError(.notQuantizable, "Q6: weights of \(weight.type)")
    }
    return try IntegerWeights(
      weight: weight, bias: nil, axis: 1, channels: shape[1], input: input
    ).scales
  }
}

extension [String] {
  /// True where the list is `unit`, some times over.
  fileprivate func chunked(by unit: [String]) -> Bool {
    count % unit.count == 0 && indices.allSatisfy { self[$0] == unit[$0 % unit.count] }
  }
}

extension IntegerRecurrentOperator {
  package func checkInteger(
    _ inputs: Operands<Fact>, _ outputs: [TensorType]
  ) throws(ModelError) {
    _ = try IntegerRecurrence(self, inputs, outputs)
  }

  package func integerReference(
    _ inputs: Operands<Tensor>, _ outputs: [TensorType]
  ) throws(ModelError) -> [Tensor] {
    let (x, w, r) = (try inputs.required(0), try inputs.required(1), try inputs.required(2))
    let form = try IntegerRecurrence(self, inputs.map { Fact($0) }, outputs)
    let layout = RecurrentLayout(self, x.shape, hidden: r.shape[2])
    let rows = Self.gates * layout.hidden
    let values = x.integers().map { $0 - Int64(form.input.zeroPoint) }
    let (wq, rq) = (w.integers(), r.integers())
    let bias = inputs.optional(3)?.floats()
    let lengths = inputs.optional(4)?.integers()
    let initial = (0..<Self.states).map { inputs.optional(5 + $0)?.floats() }
    var y = [Float](repeating: 0, count: layout.outputCount)
    var final = [[Float]](
      repeating: [Float](repeating: 0, count: layout.stateCount), count: Self.states)
    for d in 0..<layout.directions {
      let xBias = bias.map { $0[d * 2 * rows..<d * 2 * rows + rows] }
      let hBias = bias.map { $0[d * 2 * rows + rows..<(d + 1) * 2 * rows] }
      for n in 0..<layout.batch {
        let place = layout.state(direction: d, image: n)
        var states = initial.map { given in
          given.map { Array($0[place..<place + layout.hidden]) }
            ?? [Float](repeating: 0, count: layout.hidden)
        }
        let length = min(layout.time, max(0, lengths.map { Int($0[n]) } ?? layout.time))
        for step in 0..<length {
          let t = layout.runsBackwards(d) ? length - 1 - step : step
          let from = layout.input(time: t, image: n)
          let gx = sums(
            values[from..<from + layout.features], wq[(d * rows * layout.features)...],
            scale: form.input.scale, scales: form.inputScales, bias: xBias)
          let hq = states[0].map {
            Int64(IntegerArithmetic.quantize($0, IntegerRecurrence.state))
          }
          let gh = sums(
            hq[...], rq[(d * rows * layout.hidden)...], scale: IntegerRecurrence.state.scale,
            scales: form.stateScales, bias: hBias)
          states = integerStep(gx[...], gh, states)
          let target = layout.output(time: t, image: n, direction: d)
          y.replaceSubrange(target..<target + layout.hidden, with: states[0])
        }
        for (index, state) in states.enumerated() {
          final[index].replaceSubrange(place..<place + layout.hidden, with: state)
        }
      }
    }
    guard let shape = outputs[0].shape, let finalShape = outputs[1].shape else {
      throw ModelError(.unknownShape, "the output's shape")
    }
    let first =
      outputs[0].quantization.map { parameters in
        Tensor(
          shape, y.map { IntegerArithmetic.quantize($0, parameters) }, quantization: parameters)
      } ?? Tensor(shape, y)
    return [first] + final.map { Tensor(finalShape, $0) }
  }

  /// `Q43` for every row.
  private func sums(
    _ x: ArraySlice<Int64>, _ weights: ArraySlice<Int64>, scale: Float, scales: [Float],
    bias: ArraySlice<Float>?
  ) -> [Float] {
    scales.indices.map { row in
      var sum: Int64 = 0
      let start = weights.startIndex + row * x.count
      for (i, value) in x.enumerated() { sum += value * weights[start + i] }
      let t = Float(Int32(truncatingIfNeeded: sum)) * (scale * scales[row])
      return bias.map { t + $0[$0.startIndex + row] } ?? t
    }
  }
}

/// Where the rows of a recurrent operator's tensors are.
struct RecurrentLayout: Sendable {
  let time: Int
  let batch: Int
  let features: Int
  let hidden: Int
  let directions: Int
  private let batchFirst: Bool
  private let isReversed: Bool

  init(_ op: some RecurrentOperator, _ x: Shape, hidden: Int) {
    batchFirst = op.recurrence.batchFirst
    isReversed = op.recurrence.direction == .reverse
    time = batchFirst ? x[1] : x[0]
    batch = batchFirst ? x[0] : x[1]
    features = x[2]
    self.hidden = hidden
    directions = op.recurrence.direction.count
  }

  var outputCount: Int { time * batch * directions * hidden }
  var stateCount: Int { batch * directions * hidden }

  func runsBackwards(_ direction: Int) -> Bool { direction == 1 || isReversed }

  /// Rows of X (and of what is made of them) before the row of one step of one sequence.
  func row(time t: Int, image n: Int) -> Int { batchFirst ? n * time + t : t * batch + n }
  /// Rows from one sequence to the next at the same step.
  var rowsApart: Int { batchFirst ? time : 1 }

  func input(time t: Int, image n: Int) -> Int { row(time: t, image: n) * features }

  func output(time t: Int, image n: Int, direction d: Int) -> Int {
    (batchFirst ? (n * time + t) * directions + d : (t * directions + d) * batch + n) * hidden
  }
  func state(direction d: Int, image n: Int) -> Int {
    (batchFirst ? n * directions + d : d * batch + n) * hidden
  }
}
