import TensorCore

/// An operator that runs graphs of its own: a condition's branches, a loop's body.
///
/// The graphs are closed. What they capture from around the node are its last operands and their last
/// inputs, the same ones in the same order for each graph, so that a captured value is an ordinary use.
package protocol GraphOperator: Operator {
  /// Inputs of each graph that the operator gives it itself; captures follow.
  var formalInputs: Int { get }

  /// Types of the inputs before the captures, for operands of these types; each is at least as exact as
  /// the graph's own.
  func formalTypes(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType]

  /// Computes the outputs.
  ///
  /// - Parameters:
  ///   - outputs: the types of the outputs, as far as the operands tell them.
  ///   - body: runs the graph with this number in ``graphs`` on one tensor for each of its inputs.
  func run(
    _ inputs: Operands<Tensor>, outputs: [TensorType],
    body: (_ graph: Int, _ inputs: [Tensor]) throws(ModelError) -> [Tensor]
  ) throws(ModelError) -> [Tensor]
}

extension GraphOperator {
  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let graphs = graphs.map(\.graph)
    let types = try infer(inputs.map { Fact($0) })
    return try run(inputs, outputs: types) { (index, tensors) throws(ModelError) in
      try during("running graph '\(self.graphs[index].name)'") { () throws(ModelError) in
        try graphs[index].evaluate(tensors)
      }
    }
  }

  package var isDeterministic: Bool {
    graphs.allSatisfy { $0.graph.nodes.allSatisfy(\.op.isDeterministic) }
  }

  /// Operands that the graphs capture: the last ones.
  package var captureCount: Int {
    max(0, (graphs.first?.graph.inputs.count ?? 0) - formalInputs)
  }

  /// The graphs' own types of their captured inputs accept the operands.
  ///
  /// - Returns: the extents that symbols of the graph's inputs stand for.
  package func bind(
    _ graph: Graph, formals: [TensorType], captures: [Fact]
  ) throws(ModelError) -> [String: Dimension] {
    let given = formals + captures.map(\.type)
    guard graph.inputs.count == given.count else {
      throw ModelError(
        .invalidGraph, "a graph of \(graph.inputs.count) inputs is given \(given.count)")
    }
    var symbols: [String: Dimension] = [:]
    for (port, type) in zip(graph.inputs, given) {
      let wanted = graph.type(port.value)
      guard wanted.isCompatible(with: type) else {
        throw ModelError(
          wanted.element == type.element ? .shapeMismatch : .typeMismatch,
          "input '\(port.name)' of a graph is \(wanted) and is given \(type)")
      }
      for (dimension, actual) in zip(wanted.dimensions ?? [], type.dimensions ?? []) {
        if case .symbol(let name) = dimension, symbols[name]?.value == nil {
          symbols[name] = actual
        }
      }
    }
    return symbols
  }
}

extension TensorType {
  /// The type with extents in place of symbols.
  package func replacing(_ symbols: [String: Dimension]) -> TensorType {
    guard !symbols.isEmpty, let dimensions else { return self }
    return with(
      dimensions: dimensions.map { dimension in
        if case .symbol(let name) = dimension { return symbols[name] ?? dimension }
        return dimension
      })
  }
}

// MARK: - Graphs within operators

extension Operator {
  /// The graphs among the attributes, in declaration order.
  package var graphs: [(name: String, graph: Graph)] {
    guard self is any GraphOperator else { return [] }
    return attributes.compactMap { name, value in
      if case .graph(let graph) = value { (name, graph) } else { nil }
    }
  }

  /// The same operator with other graphs.
  package func mappingGraphs(
    _ transform: (_ name: String, Graph) throws(ModelError) -> Graph
  ) throws(ModelError) -> Self {
    var changed = self
    for field in Self.fields {
      guard case .graph(let graph) = field.get(self) else { continue }
      try field.set(&changed, .graph(transform(field.name, graph)))
    }
    return changed
  }
}

extension Graph {
  /// Graphs may hold graphs this deep; readers refuse more.
  package static let maximumDepth = 8

  /// Graphs within graphs, counted from 0 for none.
  package var depth: Int {
    nodes.reduce(0) { depth, node in
      node.op.graphs.reduce(depth) { max($0, $1.graph.depth + 1) }
    }
  }

  /// This graph and those that its nodes hold, outermost first.
  package var withInner: [Graph] {
    [self] + nodes.flatMap { $0.op.graphs.flatMap(\.graph.withInner) }
  }

  /// What stands for an input of a graph that gets other inputs.
  package enum InputSource: Sendable {
    /// The new input with this number.
    case input(Int)
    case constant(Tensor)
  }

  /// The same graph with other inputs.
  ///
  /// - Parameters:
  ///   - inputs: the new inputs.
  ///   - sources: what stands for each of the old ones.
  package func replacingInputs(
    _ inputs: [(name: String, type: TensorType)], sources: [InputSource]
  ) throws(ModelError) -> Graph {
    var new = Graph()
    new.metadata = metadata
    var operands: [ValueID] = []
    for input in inputs { operands.append(try new.addInput(input.name, input.type)) }
    var ids: [ValueID] = []
    for (port, source) in zip(self.inputs, sources) {
      switch source {
      case .input(let index): ids.append(operands[index])
      case .constant(let tensor): ids.append(new.addConstant(tensor, named: port.name))
      }
    }
    let made = try new.append(contentsOf: self, on: ids)
    for (port, id) in zip(outputs, made) { try new.addOutput(port.name, id) }
    return new
  }

  /// Appends the nodes and constants of `body`, with `operands` for its inputs.
  ///
  /// - Parameter outputNames: names for what the body's outputs are made as, where a node makes them.
  /// - Returns: the values that stand for the body's outputs.
  package mutating func append(
    contentsOf body: Graph, on operands: [ValueID], outputNames: [String] = []
  ) throws(ModelError) -> [ValueID] {
    guard operands.count == body.inputs.count else {
      throw ModelError(
        .invalidGraph, "a graph of \(body.inputs.count) inputs is given \(operands.count)")
    }
    var names: [ValueID: String] = [:]
    for (port, name) in zip(body.outputs, outputNames) { names[port.value] = name }
    var map = [ValueID?](repeating: nil, count: body.values.count)
    for (port, id) in zip(body.inputs, operands) { map[port.value.index] = id }
    for (index, value) in body.values.enumerated() where value.producer == nil {
      if map[index] == nil, let constant = value.fact.constant {
        map[index] = addConstant(constant, named: names[body.id(at: index)] ?? value.name)
      }
    }
    for node in body.nodes {
      let made = try append(
        node.op, named: node.name, to: node.inputs.map { $0.flatMap { map[$0.index] } },
        origin: node.origin, outputNames: node.outputs.map { names[$0] ?? body[$0].name },
        quantizedAs: body.quantizations(of: node))
      for (old, id) in zip(node.outputs, made) { map[old.index] = id }
    }
    return try body.outputs.map { (port) throws(ModelError) in
      guard let id = map[port.value.index] else {
        throw ModelError(.invalidGraph, "output '\(port.name)' is not made by any node")
      }
      return id
    }
  }
}

extension Graph: Equatable {
  /// Same values, nodes and ports under the same names, in the same order.
  package static func == (a: Graph, b: Graph) -> Bool {
    guard a.values.count == b.values.count, a.nodes.count == b.nodes.count,
      a.metadata == b.metadata, a.inputs == b.inputs, a.outputs == b.outputs
    else { return false }
    for (x, y) in zip(a.values, b.values) {
      guard x.name == y.name, x.type == y.type, x.producer == y.producer,
        x.fact.constant == y.fact.constant
      else { return false }
    }
    for (x, y) in zip(a.nodes, b.nodes) {
      guard x.name == y.name, x.origin == y.origin, x.inputs == y.inputs, x.outputs == y.outputs,
        x.op.isEqual(to: y.op)
      else { return false }
    }
    return true
  }
}
