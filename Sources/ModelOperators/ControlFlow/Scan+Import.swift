import ModelIR
import TensorCore

extension Scan: ImportableOperator {
  package static let importers = [
    Importer("Scan", 8...8) { (node, graph) throws(ModelError) in
      try batched(node, in: &graph)
    },
    Importer("Scan", 9...newestOpset) { (node, graph) throws(ModelError) in
      var op = Scan()
      op.scanned = try node.required(attribute: "num_scan_inputs")
      op.inputAxes = try list(node, "scan_input_axes")
      op.inputDirections = try list(node, "scan_input_directions")
      op.outputAxes = try list(node, "scan_output_axes")
      op.outputDirections = try list(node, "scan_output_directions")
      var operands: [ValueID] = []
      for index in node.operands.indices { operands.append(try node.required(index)) }
      let imported = try op.importBody(
        of: node, on: operands.map { graph.type($0) }, in: &graph)
      let (graphs, captures) = try ImportedGraph.aligned(
        [imported], formals: operands.count, in: graph)
      op.body = graphs[0]
      return try node.append(op, on: operands + captures, to: &graph)
    },
  ]

  /// A list of axes or directions; one of zeros is empty.
  private static func list(_ node: ForeignNode, _ name: String) throws(ModelError) -> [Int] {
    let list: [Int] = try node.attribute(name, default: [])
    return list.allSatisfy { $0 == 0 } ? [] : list
  }

  /// Imports the body for operands of these types and sets ``states``.
  private mutating func importBody(
    of node: ForeignNode, on types: [TensorType], in graph: inout Graph
  ) throws(ModelError) -> ImportedGraph {
    guard scanned >= 1, scanned <= types.count else {
      throw ModelError(.invalidGraph, "SC1: \(types.count) operands, \(scanned) of them scanned")
    }
    states = types.count - scanned
    let slices = Array(
      try formalTypes(Operands(types.map { Fact($0) })).dropFirst(states))
    return try ImportedGraph.settling(
      Array(types.prefix(states)), outputsFrom: 0, in: &graph
    ) { (states, graph) throws(ModelError) in
      try node.graph("body", formals: states + slices, in: &graph)
    }
  }

  // MARK: - Opset 8

  /// The batches of opset 8: a Scan over the first axis of everything, of a graph that is a Scan.
  private static func batched(
    _ node: ForeignNode, in graph: inout Graph
  ) throws(ModelError) -> [ValueID] {
    var inner = Scan()
    inner.scanned = try node.required(attribute: "num_scan_inputs")
    inner.inputDirections = try list(node, "directions")
    let lengths = node.operand(0)
    var operands: [ValueID] = []
    for index in 1..<max(1, node.operands.count) { operands.append(try node.required(index)) }
    let types = try operands.map { (id) throws(ModelError) in try unbatched(graph.type(id)) }
    let imported = try inner.importBody(of: node, on: types, in: &graph)
    let (bodies, captures) = try ImportedGraph.aligned(
      [imported], formals: operands.count, in: graph)
    inner.body = bodies[0]

    var item = Graph()
    var given: [ValueID] = []
    for (index, type) in types.enumerated() {
      given.append(try item.addInput("operand.\(index)", type))
    }
    let length = try lengths.map { (id) throws(ModelError) in
      try item.addInput("length", unbatched(graph.type(id)))
    }
    for (index, id) in captures.enumerated() {
      given.append(try item.addInput("capture.\(index)", graph.type(id).logical))
    }
    let made: [ValueID]
    if let length {
      made = try inner.append(to: &item, on: given, upTo: length)
    } else {
      made = try item.append(inner, named: "scan", to: given)
    }
    for (index, id) in made.enumerated() { try item.addOutput("\(index)", id) }
    let scanned = operands + (lengths.map { [$0] } ?? [])
    return try node.append(
      Scan(states: 0, scanned: scanned.count, body: item), on: scanned + captures, to: &graph)
  }

  /// The type of one item of a batch.
  private static func unbatched(_ type: TensorType) throws(ModelError) -> TensorType {
    guard let dimensions = type.dimensions else { return type }
    guard !dimensions.isEmpty else {
      throw ModelError(.shapeMismatch, "SC3: an operand without a batch axis")
    }
    return type.with(dimensions: Array(dimensions.dropFirst()))
  }

  /// Appends a scan of the first `length` slices only; what it stacks is filled up with zeros.
  private func append(
    to item: inout Graph, on operands: [ValueID], upTo length: ValueID
  ) throws(ModelError) -> [ValueID] {
    let zero = item.addConstant(Tensor(vector: [Int64(0)]), named: "zero")
    let one = item.addConstant(Tensor(vector: [Int64(1)]), named: "one")
    let end = try item.appendOne(Reshape(), named: "end", to: [length, one])
    let shape = try item.appendOne(ShapeOf(), named: "shape", to: [operands[states]])
    let whole = try item.appendOne(Gather(axis: 0), named: "whole", to: [shape, zero])
    let missing = try item.appendOne(Sub(), named: "missing", to: [whole, end])
    let pads = try item.appendOne(Concat(axis: 0), named: "pads", to: [zero, missing])
    var given = operands
    for index in states..<states + scanned {
      given[index] = try item.appendOne(
        Slice(), named: "slice.\(index)", to: [operands[index], zero, end, zero])
    }
    var made = try item.append(self, named: "scan", to: given)
    for index in states..<made.count {
      made[index] = try item.appendOne(
        Pad(), named: "pad.\(index)", to: [made[index], pads, nil, zero])
    }
    return made
  }
}
