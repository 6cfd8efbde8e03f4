import ModelIR
import TensorCore

/// Runs a graph over the slices of tensors.
///
/// Operands: the initial states, the tensors to scan, captures. The graph takes the states, one slice of each
/// tensor and the captures, and gives the next states and slices, which are stacked. Axes and directions (0
/// forwards, 1 backwards) are 0 where their list is empty. ONNX Scan 9–25, and the batches of Scan 8.
package struct Scan: GraphOperator {
  package static let name = "Scan"
  package static let fields = [
    Field("states", \Scan.states), Field("inputAxes", \Scan.inputAxes),
    Field("inputDirections", \Scan.inputDirections), Field("outputAxes", \Scan.outputAxes),
    Field("outputDirections", \Scan.outputDirections), Field("scanned", \Scan.scanned),
    Field("body", \Scan.body),
  ]
  package var states = 0
  package var inputAxes: [Int] = []
  package var inputDirections: [Int] = []
  package var outputAxes: [Int] = []
  package var outputDirections: [Int] = []
  /// How many operands are scanned.
  package var scanned = 1
  package var body = Graph()
  package init() {}

  package init(states: Int, scanned: Int, body: Graph) {
    self.states = states
    self.scanned = scanned
    self.body = body
  }

  package var formalInputs: Int { states + scanned }

  /// Slices that the graph gives.
  private var stacked: Int { max(0, body.outputs.count - states) }

  package func formalTypes(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    var types: [TensorType] = []
    for index in 0..<states { types.append(try inputs.required(index).type) }
    for index in 0..<scanned {
      types.append(try slice(of: inputs.required(states + index).type, index).type)
    }
    return types
  }
}

// MARK: - Types

extension Scan {
  /// Entry `index` of a list of axes or directions.
  private static func entry(_ list: [Int], _ index: Int) -> Int {
    list.indices.contains(index) ? list[index] : 0
  }

  /// The type of one slice of scanned operand `index`, and how many there are.
  private func slice(
    of type: TensorType, _ index: Int
  ) throws(ModelError) -> (type: TensorType, count: Dimension) {
    guard !type.isSequence else {
      throw ModelError(.typeMismatch, "SC3: operand \(states + index) is a sequence")
    }
    guard var dimensions = type.dimensions else { return (type, .unknown) }
    guard !dimensions.isEmpty else {
      throw ModelError(.shapeMismatch, "SC3: operand \(states + index) is a scalar")
    }
    let axis = try Shape.resolve(
      axis: Scan.entry(inputAxes, index), rank: dimensions.count)
    let count = dimensions.remove(at: axis)
    return (type.with(dimensions: dimensions), count)
  }

  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    guard states >= 0, scanned >= 1, states <= inputs.count, scanned <= inputs.count - states,
      body.inputs.count == inputs.count, body.outputs.count >= states
    else {
      throw ModelError(
        .invalidGraph,
        "SC1: a graph of \(body.inputs.count) inputs and \(body.outputs.count) outputs for "
          + "\(inputs.count) operands, \(states) of them states and \(scanned) scanned")
    }
    for (list, count, what) in [
      (inputAxes, scanned, "input axes"), (inputDirections, scanned, "input directions"),
      (outputAxes, stacked, "output axes"), (outputDirections, stacked, "output directions"),
    ] where !list.isEmpty && list.count != count {
      throw ModelError(.invalidValue, "SC2: \(list.count) \(what) instead of \(count)")
    }
    guard (inputDirections + outputDirections).allSatisfy({ $0 == 0 || $0 == 1 }) else {
      throw ModelError(.invalidValue, "SC2: a direction is neither 0 nor 1")
    }
    let operands = try inputs.all()
    var count = Dimension.unknown
    for index in 0..<scanned {
      let other = try slice(of: operands[states + index].type, index).count
      if let known = count.value, let value = other.value, known != value {
        throw ModelError(.shapeMismatch, "SC3: operands of \(known) and of \(value) slices")
      }
      if count.value == nil, other != .unknown { count = other }
    }
    let symbols = try during("SC4: the graph of a Scan") { () throws(ModelError) in
      try bind(
        body, formals: formalTypes(inputs), captures: Array(operands.dropFirst(formalInputs)))
    }
    var types: [TensorType] = []
    for index in 0..<states {
      let next = body.type(body.outputs[index].value)
      try checkState(body.type(body.inputs[index].value), gives: next, "SC5: state \(index)")
      types.append(try operands[index].type.joined(with: next.replacing(symbols)))
    }
    for (index, port) in body.outputs.dropFirst(states).enumerated() {
      let slice = try checkSlice(body.type(port.value), "SC6").replacing(symbols)
      var dimensions = slice.dimensions
      if let rank = dimensions?.count {
        dimensions?.insert(
          count,
          at: try Shape.resolve(axis: Scan.entry(outputAxes, index), rank: rank + 1))
      }
      types.append(slice.with(dimensions: dimensions))
    }
    return types
  }
}

// MARK: - Running

extension Scan {
  package func run(
    _ inputs: Operands<Tensor>, outputs: [TensorType],
    body run: (_ graph: Int, _ inputs: [Tensor]) throws(ModelError) -> [Tensor]
  ) throws(ModelError) -> [Tensor] {
    let operands = try inputs.all()
    var state = Array(operands[..<states])
    let sources = Array(operands[states..<states + scanned])
    let captures = Array(operands[(states + scanned)...])
    let axes = try sources.indices.map { (index) throws(ModelError) in
      try Shape.resolve(axis: Scan.entry(inputAxes, index), rank: sources[index].shape.rank)
    }
    let counts = sources.indices.map { sources[$0].shape[axes[$0]] }
    guard let count = counts.first, counts.allSatisfy({ $0 == count }) else {
      throw ModelError(.shapeMismatch, "SC3: operands of \(counts) slices")
    }
    var stacks = [TensorStack](repeating: TensorStack(), count: stacked)
    for step in 0..<count {
      let slices = try sources.indices.map { (index) throws(ModelError) in
        try sources[index].slice(
          axis: axes[index],
          at: Scan.entry(inputDirections, index) == 1 ? count - 1 - step : step)
      }
      let made = try during("step \(step)") { () throws(ModelError) in
        try run(0, state + slices + captures)
      }
      state = Array(made[..<states])
      for (index, slice) in made.dropFirst(states).enumerated() {
        try during("SC6: output \(states + index)") { () throws(ModelError) in
          try stacks[index].append(slice)
        }
      }
    }
    return state
      + (try stacks.indices.map { (index) throws(ModelError) in
        try stacks[index].tensor(
          axis: Scan.entry(outputAxes, index), type: outputs[states + index],
          reversed: Scan.entry(outputDirections, index) == 1)
      })
  }
}
