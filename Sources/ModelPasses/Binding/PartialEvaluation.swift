import ModelIR
import ModelOperators
import TensorCore

/// A graph without some of its inputs: what depends on them alone is computed once and stored.
///
///     input %face [N×6×S×S]                    constant %c [1×C×H×W]
///     %1 = Conv(%face, …)              →       %1 = Expand(%c, [extent 0 of %heard, 1, 1, 1])
///     %2 = Concat(%1, %heard)                  %2 = Concat(%1, %heard)
///
/// Exact: the stored values are what the runner gives for the whole graph's own nodes. Where a tensor of one row is bound to an
/// input that shares the number of its rows with others, the row stands for as many equal ones as those
/// have. What the nodes make of one, two and three equal rows then tells what they make of any number: the same
/// value, the same block again and again along some axes, or numbers in step with the rows (``StoredValue``). Nodes whose
/// results are none of these stay, provided that they only move elements.
package struct PartialEvaluation {
  /// Computes the outputs of a graph.
  package typealias Runner = (Graph, [Tensor]) throws(ModelError) -> [Tensor]

  /// A graph with what it stores now, in bytes.
  package struct Result {
    package let graph: Graph
    package let storedByteCount: Int
  }

  /// The extent that bound inputs share with others, and where it is read off.
  private struct Rows {
    let symbol: String
    let value: ValueID
    let axis: Int
  }

  /// The graph with every extent that the tensors decide.
  private let source: Graph
  /// By name of the input, filled up to fixed extents.
  package let tensors: [String: Tensor]
  private let rows: Rows?

  /// - Parameter bound: tensors by the names of inputs. Where an input has a fixed number of rows, one row stands for
  ///   as many.
  /// - Throws: `usage` for a name that no input has and where no input is left; `type-mismatch` and `shape-mismatch` for a tensor
  ///   that is not of its input's type; `unsupported-feature` where one row would stand for two extents.
  package init(_ graph: Graph, binding bound: [String: Tensor]) throws(ModelError) {
    for name in bound.keys.sorted() where !graph.inputs.contains(where: { $0.name == name }) {
      throw ModelError(
        .usage,
        "the model has no input '\(name)' to bind; it has "
          + graph.inputs.map(\.name).joined(separator: ", "))
    }
    let open = graph.inputs.filter { bound[$0.name] == nil }
    guard !open.isEmpty else {
      throw ModelError(.usage, "every input is bound: nothing would be left to run")
    }
    var given: [(port: Port, tensor: Tensor)] = []
    for port in graph.inputs {
      guard let tensor = bound[port.name] else { continue }
      given.append((port, try tensor.filling(graph.type(port.value))))
    }
    try graph.check(given)
    var extents: [String: Int] = [:]
    for (port, tensor) in given {
      for (axis, dimension) in (graph.type(port.value).dimensions ?? []).enumerated() {
        if case .symbol(let name) = dimension { extents[name] = tensor.shape[axis] }
      }
    }
    var shared: (symbol: String, input: String, axis: Int)?
    for (name, extent) in extents.sorted(by: { $0.key < $1.key }) where extent == 1 {
      let places = open.compactMap { port in
        graph.type(port.value).dimensions?.firstIndex(of: .symbol(name)).map { (port.name, $0) }
      }
      guard let place = places.first else { continue }
      if let shared {
        throw ModelError(
          .unsupportedFeature,
          "bound inputs would have one of '\(shared.symbol)' and one of '\(name)', which other inputs have many of"
        )
      }
      shared = (name, place.0, place.1)
      extents[name] = nil
    }
    source = try graph.fixing(extents)
    tensors = Dictionary(given.map { ($0.port.name, $0.tensor) }, uniquingKeysWith: { $1 })
    rows = shared.flatMap { [source] shared in
      source.inputs.first { $0.name == shared.input }.map {
        Rows(symbol: shared.symbol, value: $0.value, axis: shared.axis)
      }
    }
  }

  /// - Throws: `usage` where every output depends on the bound inputs alone; `unsupported-feature` where rows of theirs are
  ///   reckoned up together.
  package func result(_ run: Runner) throws(ModelError) -> Result {
    var kept: Set<Int> = []
    while true {
      let split = try GraphSplit(source, bound: Set(tensors.keys), kept: kept)
      guard source.outputs.contains(where: { split.isOpen($0.value) }) else {
        throw ModelError(
          .usage, "every output depends on the bound inputs alone: nothing would be left to run")
      }
      let values = try during("computing what depends on the bound inputs alone") {
        () throws(ModelError) in try evaluate(split.frontier, run)
      }
      let failing = split.frontier.filter { values[$0] == nil }
      guard !failing.isEmpty else { return try rebuilt(split, values) }
      for value in failing {
        guard let producer = source[value].producer else {
          throw ModelError(.unsupportedFeature, "'\(source[value].name)' cannot be bound")
        }
        kept.insert(producer)
      }
    }
  }

  /// What each of `wanted` is for any number of rows; none for those that follow no rule.
  private func evaluate(
    _ wanted: [ValueID], _ run: Runner
  ) throws(ModelError) -> [ValueID: StoredValue] {
    let ports = source.inputs.filter { tensors[$0.name] != nil }
    let part = try source.extracted(
      from: ports.map { ($0.name, $0.value) },
      to: wanted.map { (name: "\($0.index)", value: $0) })
    var results: [[Tensor]] = []
    for count in 1...(rows == nil ? 1 : 3) {
      var inputs: [Tensor] = []
      for port in ports {
        guard let tensor = tensors[port.name] else { continue }
        let counts = (source.type(port.value).dimensions ?? []).map {
          $0 == rows.map { .symbol($0.symbol) } ? count : 1
        }
        inputs.append(try tensor.tiled(counts))
      }
      results.append(try run(part, inputs))
    }
    var values: [ValueID: StoredValue] = [:]
    for (index, id) in wanted.enumerated() {
      values[id] = try StoredValue(results.map { $0[index] })
    }
    return values
  }

  /// The rest of the graph on stored values.
  private func rebuilt(
    _ split: GraphSplit, _ values: [ValueID: StoredValue]
  ) throws(ModelError) -> Result {
    var new = Graph()
    new.metadata = source.metadata
    var map = [ValueID?](repeating: nil, count: source.values.count)
    for port in source.inputs where tensors[port.name] == nil {
      map[port.value.index] = try new.addInput(port.name, source.type(port.value))
    }
    for (index, value) in source.values.enumerated() where value.producer == nil {
      guard map[index] == nil, let tensor = value.fact.constant else { continue }
      map[index] = new.addConstant(tensor, named: value.name)
    }
    let follows = values.values.contains { !$0.isConstant }
    var numbers = try RowNumbers(
      of: follows ? rows.flatMap { map[$0.value.index] } : nil, axis: rows?.axis ?? 0,
      named: "\(rows?.symbol ?? "row").extent", in: &new)
    var stored = 0
    for id in split.frontier {
      guard let value = values[id] else { continue }
      stored += value.byteCount
      map[id.index] = try value.append(to: &new, named: source[id].name, &numbers)
    }
    for (index, node) in source.nodes.enumerated() where !split.isBound(node: index) {
      let made = try new.append(
        node.op, named: node.name, to: node.inputs.map { $0.flatMap { map[$0.index] } },
        origin: node.origin, outputNames: node.outputs.map { source[$0].name },
        quantizedAs: source.quantizations(of: node))
      for (old, id) in zip(node.outputs, made) { map[old.index] = id }
    }
    for port in source.outputs {
      guard let id = map[port.value.index] else {
        throw ModelError(.invalidGraph, "output '\(port.name)' was lost")
      }
      try new.addOutput(port.name, id)
    }
    return Result(graph: try new.withoutDeadCode(), storedByteCount: stored)
  }
}

extension Graph {
  /// The same graph where symbols of its inputs have these extents.
  fileprivate func fixing(_ extents: [String: Int]) throws(ModelError) -> Graph {
    let types = inputs.map { port in
      let type = type(port.value)
      guard let dimensions = type.dimensions else { return type }
      return type.with(
        dimensions: dimensions.map { dimension in
          if case .symbol(let name) = dimension, let extent = extents[name] {
            .fixed(extent)
          } else {
            dimension
          }
        })
    }
    guard types != inputs.map({ type($0.value) }) else { return self }
    return try rebuilt(inputTypes: types) { (_, _, _) throws(ModelError) in nil }
  }
}

extension Tensor {
  /// One row as often as an input of `type` has rows.
  fileprivate func filling(_ type: TensorType) throws(ModelError) -> Tensor {
    guard members == nil, let dimensions = type.dimensions, dimensions.count == shape.rank,
      let count = dimensions.first?.value, count > 1, shape[0] == 1
    else { return self }
    return try tiled([count] + [Int](repeating: 1, count: shape.rank - 1))
  }

  /// The tensor again and again along each axis.
  func tiled(_ counts: [Int]) throws(ModelError) -> Tensor {
    guard counts.contains(where: { $0 != 1 }) else { return self }
    let repeats = Tensor(vector: counts.map { Int64($0) })
    return try Tile().reference(Operands([self, repeats]))[0].reading(as: quantization)
  }
}
