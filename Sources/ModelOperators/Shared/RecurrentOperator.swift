import ModelIR
import TensorCore

/// What the three recurrent operators have in common.
package struct Recurrence: Sendable, Hashable {
  package enum Direction: String, StringAttribute {
    case forward, reverse, bidirectional
    package var count: Int { self == .bidirectional ? 2 : 1 }
  }

  package var direction = Direction.forward
  /// Names of the gates' functions, all directions one after the other; empty for the defaults.
  package var activations: [String] = []
  /// Parameters of the functions that have one, in order.
  package var alphas: [Float] = []
  package var betas: [Float] = []
  /// Bound of what goes into the functions; nil for none.
  package var clip: Float?
  /// X, Y and the states have the batch as their first axis.
  package var batchFirst = false
  /// X as a whole, and before each step the states of all sequences of a direction, are rounded to the 8 bits
  /// of their own range where they meet the weights (`RC5`).
  package var roundsActivations = false

  package init() {}

  init(importing node: ForeignNode) throws(ModelError) {
    direction = try node.choice(
      "direction", default: "forward",
      ["forward": .forward, "reverse": .reverse, "bidirectional": .bidirectional])
    activations = try node.attribute("activations", default: [String]())
    alphas = try node.attribute("activation_alpha", default: [Float]())
    betas = try node.attribute("activation_beta", default: [Float]())
    clip = try node.optional("clip")
    batchFirst = try node.flag("layout", default: false)
    node.ignore("hidden_size")
  }
}

/// An operator that carries a state along the first axis of X [time, batch, features]: operands X, W, R,
/// bias?, lengths?, initial state?, …; outputs Y [time, directions, batch, hidden] and the final states
/// [directions, batch, hidden] (`RC1`…).
package protocol RecurrentOperator: MultiplyingOperator, PackingOperator {
  /// Gates whose weights are stacked in W and R.
  static var gates: Int { get }
  /// 1, or 2 where there is a cell state.
  static var states: Int { get }
  static var defaultActivations: [String] { get }
  var recurrence: Recurrence { get set }
  /// The next state, from features `x` and the current one; `h` is the first state as R sees it.
  func step(
    _ x: ArraySlice<Double>, _ h: [Double], _ state: [[Double]], _ cell: RecurrentCell
  ) -> [[Double]]
}

/// The weights of one direction.
package struct RecurrentCell: Sendable {
  package let features: Int
  package let hidden: Int
  package let w: ArraySlice<Double>
  package let r: ArraySlice<Double>
  /// Input biases of all gates, then recurrent ones.
  package let bias: [Double]
  /// Peephole weights of the input, output and forget gates; empty for none.
  package let peepholes: [Double]
  package let functions: [GateFunction]
  package let clip: Double

  /// W x + b of one gate.
  func input(_ gate: Int, _ x: ArraySlice<Double>) -> [Double] {
    product(w, gate, x, width: features, bias: gate)
  }

  /// R h + b of one gate.
  func recurrent(_ gate: Int, _ h: [Double]) -> [Double] {
    product(r, gate, h[...], width: hidden, bias: bias.count / hidden / 2 + gate)
  }

  private func product(
    _ matrix: ArraySlice<Double>, _ gate: Int, _ vector: ArraySlice<Double>, width: Int,
    bias row: Int
  ) -> [Double] {
    (0..<hidden).map { unit in
      var sum = bias[row * hidden + unit]
      let start = matrix.startIndex + (gate * hidden + unit) * width
      for i in 0..<width { sum += matrix[start + i] * vector[vector.startIndex + i] }
      return sum
    }
  }

  /// Function `index` of clipped `x`.
  func gate(_ index: Int, _ x: Double) -> Double {
    functions[index].apply(min(max(x, -clip), clip))
  }
}

extension RecurrentOperator {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(3...(Self.states == 2 ? 8 : 6))
    let (x, w, r) = (try inputs.required(0), try inputs.required(1), try inputs.required(2))
    guard x.element.isFloatingPoint, w.element == x.element, r.element == x.element else {
      throw ModelError(.typeMismatch, "RC1: \(Self.name) of \(x.element) with \(w.element)")
    }
    let (sequence, input, state) = (try x.dimensions(), try w.dimensions(), try r.dimensions())
    let directions = recurrence.direction.count
    guard sequence.count == 3, input.count == 3, state.count == 3,
      input[0].mayEqual(.fixed(directions)), state[0].mayEqual(.fixed(directions)),
      input[2].mayEqual(sequence[2]), input[1].mayEqual(state[1]),
      state[1].mayEqual(Dimension.combine(state[2], .fixed(Self.gates)) { $0 * $1 })
    else {
      throw ModelError(
        .shapeMismatch, "RC2: \(Self.name) of \(x.type) with \(w.type) and \(r.type)")
    }
    let hidden = state[2]
    let (time, batch) =
      recurrence.batchFirst ? (sequence[1], sequence[0]) : (sequence[0], sequence[1])
    let fixed = Dimension.fixed(directions)
    let final = recurrence.batchFirst ? [batch, fixed, hidden] : [fixed, batch, hidden]
    var expected: [(Int, [Dimension])] = [
      (3, [fixed, Dimension.combine(hidden, .fixed(2 * Self.gates)) { $0 * $1 }]),
      (5, final),
    ]
    if Self.states == 2 {
      expected.append((6, final))
      expected.append((7, [fixed, Dimension.combine(hidden, .fixed(3)) { $0 * $1 }]))
    }
    for (index, dimensions) in expected {
      guard let operand = inputs.optional(index) else { continue }
      let given = try operand.dimensions()
      guard operand.element == x.element, given.count == dimensions.count,
        zip(given, dimensions).allSatisfy({ $0.mayEqual($1) })
      else {
        throw ModelError(
          .shapeMismatch, "RC3: operand \(index) of \(Self.name) is \(operand.type)")
      }
    }
    if let lengths = inputs.optional(4) {
      let given = try lengths.dimensions()
      guard lengths.element.isInteger, given.count == 1, given[0].mayEqual(batch) else {
        throw ModelError(.shapeMismatch, "RC3: lengths of \(lengths.type)")
      }
    }
    _ = try functions()
    let y = recurrence.batchFirst ? [batch, time, fixed, hidden] : [time, fixed, batch, hidden]
    return [TensorType(x.element, y)]
      + [TensorType](repeating: TensorType(x.element, final), count: Self.states)
  }

  package func outputElements(_ inputs: Operands<Fact>) throws(ModelError) -> [ElementType] {
    [ElementType](repeating: try inputs.required(0).element, count: 1 + Self.states)
  }

  /// The constant biases of each direction, of W and of R; nil where there are none.
  static func biases(_ request: KernelRequest) throws(ModelError) -> [Float]? {
    guard let bias = request.operands.optional(3)?.fact.constant else { return nil }
    try bias.load()
    return bias.floats()
  }

  /// The gates' functions of each direction.
  package func functions() throws(ModelError) -> [[GateFunction]] {
    let directions = recurrence.direction.count
    let each = Self.defaultActivations.count
    var names = recurrence.activations
    if names.isEmpty {
      names = (0..<directions).flatMap { _ in Self.defaultActivations }
    }
    guard names.count == each * directions else {
      throw ModelError(
        .invalidValue, "RC4: \(names.count) functions for \(directions) directions of \(Self.name)")
    }
    let list = try GateFunction.list(names, alphas: recurrence.alphas, betas: recurrence.betas)
    return (0..<directions).map { Array(list[$0 * each..<($0 + 1) * each]) }
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let (x, w, r) = (try inputs.required(0), try inputs.required(1), try inputs.required(2))
    let directions = recurrence.direction.count
    let hidden = r.shape[2]
    let features = x.shape[2]
    let (time, batch) =
      recurrence.batchFirst ? (x.shape[1], x.shape[0]) : (x.shape[0], x.shape[1])
    let values = recurrence.roundsActivations ? Self.rounded([x.doubles()])[0] : x.doubles()
    let (input, state) = (w.doubles(), r.doubles())
    let bias = inputs.optional(3)?.doubles()
    let peepholes = Self.states == 2 ? inputs.optional(7)?.doubles() : nil
    let lengths = inputs.optional(4)?.integers()
    let counts = (0..<batch).map { n in min(time, max(0, lengths.map { Int($0[n]) } ?? time)) }
    let functions = try functions()
    var initial = [inputs.optional(5)?.doubles()]
    if Self.states == 2 { initial.append(inputs.optional(6)?.doubles()) }
    var y = [Double](repeating: 0, count: time * directions * batch * hidden)
    var final = [[Double]](
      repeating: [Double](repeating: 0, count: directions * batch * hidden), count: Self.states)
    let rows = Self.gates * hidden
    for d in 0..<directions {
      let cell = RecurrentCell(
        features: features, hidden: hidden,
        w: input[d * rows * features..<(d + 1) * rows * features],
        r: state[d * rows * hidden..<(d + 1) * rows * hidden],
        bias: bias.map { Array($0[d * 2 * rows..<(d + 1) * 2 * rows]) }
          ?? [Double](repeating: 0, count: 2 * rows),
        peepholes: peepholes.map { Array($0[d * 3 * hidden..<(d + 1) * 3 * hidden]) } ?? [],
        functions: functions[d], clip: recurrence.clip.map { Double($0) } ?? .infinity)
      let backwards = d == 1 || recurrence.direction == .reverse
      let place = { (n: Int) in recurrence.batchFirst ? n * directions + d : d * batch + n }
      var current = (0..<batch).map { n in
        initial.map { (given: [Double]?) in
          given.map { Array($0[place(n) * hidden..<(place(n) + 1) * hidden]) }
            ?? [Double](repeating: 0, count: hidden)
        }
      }
      for step in 0..<time {
        let seen = current.map { $0[0] }
        let met = recurrence.roundsActivations ? Self.rounded(seen) : seen
        for n in 0..<batch where step < counts[n] {
          let t = backwards ? counts[n] - 1 - step : step
          let source = (recurrence.batchFirst ? n * time + t : t * batch + n) * features
          current[n] = self.step(values[source..<source + features], met[n], current[n], cell)
          let target =
            recurrence.batchFirst
            ? (n * time + t) * directions + d : (t * directions + d) * batch + n
          y.replaceSubrange(target * hidden..<(target + 1) * hidden, with: current[n][0])
        }
      }
      for n in 0..<batch {
        for (index, value) in current[n].enumerated() {
          final[index].replaceSubrange(place(n) * hidden..<(place(n) + 1) * hidden, with: value)
        }
      }
    }
    let outer =
      recurrence.batchFirst
      ? [batch, time, directions, hidden] : [time, directions, batch, hidden]
    let states = recurrence.batchFirst ? [batch, directions, hidden] : [directions, batch, hidden]
    let finalShape = try Shape(states)
    return [Tensor(x.element, try Shape(outer), doubles: y)]
      + final.map { Tensor(x.element, finalShape, doubles: $0) }
  }

  /// Rows of values, rounded to the steps of their common range.
  private static func rounded(_ rows: [[Double]]) -> [[Double]] {
    let range = DynamicRange(rows.lazy.joined().lazy.map { Float($0) })
    return rows.map { row in row.map { Double(range.rounded(Float($0))) } }
  }
}
