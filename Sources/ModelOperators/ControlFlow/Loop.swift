import ModelIR
import TensorCore

/// Runs a graph again and again: up to M times, while a condition holds.
///
/// Operands: M and the first condition, either of which may be absent; the initial states; captures. The
/// graph takes the number of the iteration, the condition, the states and the captures, and gives the next
/// condition, the next states and slices, which are stacked along a new first axis. ONNX Loop 1–25.
package struct Loop: GraphOperator {
  package static let name = "Loop"
  package static let fields = [Field("states", \Loop.states), Field("body", \Loop.body)]
  package var states = 0
  package var body = Graph()
  package init() {}

  package init(states: Int, body: Graph) {
    self.states = states
    self.body = body
  }

  package var formalInputs: Int { 2 + states }

  package func formalTypes(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    body.inputs.prefix(2).map { body.type($0.value) }
      + (try (0..<states).map { (index) throws(ModelError) in
        try inputs.required(2 + index).type
      })
  }
}

// MARK: - Types

extension Loop {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    guard states >= 0, states <= inputs.count - 2, body.inputs.count == inputs.count,
      body.outputs.count > states
    else {
      throw ModelError(
        .invalidGraph,
        "LP1: a graph of \(body.inputs.count) inputs and \(body.outputs.count) outputs for "
          + "\(inputs.count) operands, \(states) of them states")
    }
    try Loop.check(inputs.optional(0)?.type, .int64, "LP2: M")
    try Loop.check(inputs.optional(1)?.type, .bool, "LP2: the condition")
    try Loop.check(body.type(body.inputs[0].value), .int64, "LP2: the graph's iteration")
    try Loop.check(body.type(body.inputs[1].value), .bool, "LP2: the graph's condition")
    try Loop.check(body.type(body.outputs[0].value), .bool, "LP2: the graph's next condition")
    var given: [Fact] = []
    for index in 2..<inputs.count { given.append(try inputs.required(index)) }
    let symbols = try during("LP3: the graph of a Loop") { () throws(ModelError) in
      try bind(body, formals: formalTypes(inputs), captures: Array(given.dropFirst(states)))
    }
    var types: [TensorType] = []
    for index in 0..<states {
      let next = body.type(body.outputs[1 + index].value)
      try checkState(body.type(body.inputs[2 + index].value), gives: next, "LP4: state \(index)")
      types.append(try given[index].type.joined(with: next.replacing(symbols)))
    }
    let trips = try tripCount(inputs)
    for port in body.outputs.dropFirst(1 + states) {
      let slice = try checkSlice(body.type(port.value), "LP5").replacing(symbols)
      types.append(slice.with(dimensions: slice.dimensions.map { [trips] + $0 }))
    }
    return types
  }

  private static func check(
    _ type: TensorType?, _ element: ElementType, _ what: String
  ) throws(ModelError) {
    guard let type else { return }
    guard type.element == element, !type.isSequence else {
      throw ModelError(.typeMismatch, "\(what) is \(type.element), not \(element)")
    }
    guard (type.shape?.count ?? 1) == 1 else {
      throw ModelError(.shapeMismatch, "\(what) has \(type), not one element")
    }
  }

  /// The number of iterations, where nothing that the graph computes can end the loop.
  ///
  /// - Throws: `limit-exceeded` where they are more than a run may make.
  private func tripCount(_ inputs: Operands<Fact>) throws(ModelError) -> Dimension {
    guard let limit = inputs.optional(0) else { return .unknown }
    let next = body.outputs[0].value
    let passesOn = next == body.inputs[1].value
    let first = inputs.optional(1)
    let startsTrue = first == nil || first?.constant?.integers() == [1]
    let staysTrue = passesOn || body.constant(next)?.integers() == [1]
    guard startsTrue, staysTrue else { return .unknown }
    if let count = limit.constant?.integers().first {
      guard count <= Int64(RunLimits.iterations) else {
        throw ModelError(.limitExceeded, "RL3: \(count) iterations")
      }
      return .fixed(max(0, Int(count)))
    }
    if let extent = limit.extents?.first, case .symbol = extent { return extent }
    return .unknown
  }
}

extension GraphOperator {
  /// What is stacked is a tensor.
  func checkSlice(_ type: TensorType, _ clause: String) throws(ModelError) -> TensorType {
    guard !type.isSequence else {
      throw ModelError(.typeMismatch, "\(clause): a stack of sequences")
    }
    return type
  }

  /// A state comes back as what the graph takes: what it gives is no wider than what it reads.
  func checkState(
    _ type: TensorType, gives next: TensorType, _ what: String
  ) throws(ModelError) {
    guard type.element == next.element else {
      throw ModelError(.typeMismatch, "\(what) is \(type) and becomes \(next)")
    }
    guard try type.joined(with: next) == type else {
      throw ModelError(
        .shapeMismatch, "\(what) is \(type) and becomes \(next); leave open what changes")
    }
  }
}

// MARK: - Running

extension Loop {
  package func run(
    _ inputs: Operands<Tensor>, outputs: [TensorType],
    body run: (_ graph: Int, _ inputs: [Tensor]) throws(ModelError) -> [Tensor]
  ) throws(ModelError) -> [Tensor] {
    let limit = inputs.optional(0)?.integers().first ?? .max
    var condition = inputs.optional(1)?.integers().first ?? 1
    var state: [Tensor] = []
    for index in 0..<states { state.append(try inputs.required(2 + index)) }
    var captures: [Tensor] = []
    for index in 2 + states..<inputs.count { captures.append(try inputs.required(index)) }
    let shapes = try body.inputs.prefix(2).map { (port) throws(ModelError) in
      body.type(port.value).rank == 1 ? try Shape([1]) : Shape.scalar
    }
    var stacks = [TensorStack](
      repeating: TensorStack(), count: body.outputs.count - 1 - states)
    var iteration = 0
    while Int64(iteration) < limit, condition != 0 {
      guard iteration < RunLimits.iterations else {
        throw ModelError(.limitExceeded, "RL3: more than \(iteration) iterations")
      }
      let made = try during("iteration \(iteration)") { () throws(ModelError) in
        try run(
          0,
          [
            Tensor(.int64, shapes[0], integers: [Int64(iteration)]),
            Tensor(.bool, shapes[1], integers: [condition]),
          ] + state + captures)
      }
      guard made[0].count == 1 else {
        throw ModelError(.shapeMismatch, "LP2: a condition of shape \(made[0].shape)")
      }
      condition = made[0].integers()[0]
      state = Array(made[1..<1 + states])
      for (index, slice) in made.dropFirst(1 + states).enumerated() {
        try during("LP5: output \(states + index)") { () throws(ModelError) in
          try stacks[index].append(slice)
        }
      }
      iteration += 1
    }
    return state
      + (try stacks.indices.map { (index) throws(ModelError) in
        try stacks[index].tensor(axis: 0, type: outputs[states + index])
      })
  }
}

// MARK: - Import

extension Loop: ImportableOperator {
  package static let importers = [
    Importer("Loop", 1...newestOpset) { (node, graph) throws(ModelError) in
      let declared = try node.formalTypes("body")
      guard declared.count >= 2 else {
        throw ModelError(.invalidGraph, "LP1: a graph of \(declared.count) inputs")
      }
      func single(_ element: ElementType, _ type: TensorType?) -> TensorType {
        TensorType(element, type?.rank == 1 ? [1] : [])
      }
      let counters = [single(.int64, declared[0]), single(.bool, declared[1])]
      let states = declared.count - 2
      var initial: [ValueID] = []
      for index in 0..<states { initial.append(try node.required(2 + index)) }
      guard node.operands.count <= 2 + states else {
        throw ModelError(.invalidGraph, "LP1: \(node.operands.count) operands, \(states) states")
      }
      let imported = try ImportedGraph.settling(
        initial.map { graph.type($0) }, outputsFrom: 1, in: &graph
      ) { (types, graph) throws(ModelError) in
        try node.graph("body", formals: counters + types, in: &graph)
      }
      let (graphs, captures) = try ImportedGraph.aligned([imported], formals: 2 + states, in: graph)
      return try node.append(
        Loop(states: states, body: graphs[0]),
        on: [node.operand(0), node.operand(1)] + initial + captures, to: &graph)
    }
  ]
}
