import ModelIR
import TensorCore

/// A graph for one set of input shapes: shape arithmetic folded away, every shape concrete unless it
/// depends on data.
struct Specialised: Sendable {
  let graph: Graph
  /// For each value of the specialised graph, the value of the original one that it stands for.
  let original: [ValueID?]

  /// Results larger than this are computed when the plan runs, not when it is made.
  static let foldedElementLimit = 1 << 16

  init(_ source: Graph, inputTypes: [TensorType]) throws(ModelError) {
    var new = Graph()
    new.metadata = source.metadata
    var map = [ValueID?](repeating: nil, count: source.values.count)
    for (port, type) in zip(source.inputs, inputTypes) {
      map[port.value.index] = try new.addInput(port.name, type)
    }
    for (index, value) in source.values.enumerated() where value.producer == nil {
      if map[index] == nil, let constant = value.fact.constant {
        map[index] = new.addConstant(constant, named: value.name)
      }
    }
    for node in source.nodes {
      let operands = node.inputs.map { $0.flatMap { map[$0.index] } }
      let quantizations = source.quantizations(of: node)
      if let folded = try Specialised.fold(node, operands, quantizations, in: new) {
        for (old, tensor) in zip(node.outputs, folded) {
          map[old.index] = new.addConstant(tensor, named: source[old].name)
        }
        continue
      }
      let made = try new.append(
        node.op, named: node.name, to: operands, origin: node.origin,
        outputNames: node.outputs.map { source[$0].name }, quantizedAs: quantizations,
        isChecked: true)
      for (old, id) in zip(node.outputs, made) {
        map[old.index] =
          Specialised.constant(from: new.fact(id)).map {
            new.addConstant($0, named: source[old].name)
          } ?? id
      }
    }
    for output in source.outputs {
      guard let id = map[output.value.index] else {
        throw ModelError(.invalidGraph, "output '\(output.name)' is not made by any node")
      }
      try new.addOutput(output.name, id)
    }
    var original = [ValueID?](repeating: nil, count: new.values.count)
    for (old, id) in map.enumerated() {
      if let id { original[id.index] = ValueID(index: old) }
    }
    graph = new
    self.original = original
  }

  /// The node's results where all its operands are constants and the results are small.
  private static func fold(
    _ node: Node, _ operands: [ValueID?], _ quantizations: [QuantizationParameters?],
    in graph: Graph
  ) throws(ModelError) -> [Tensor]? {
    guard node.op.isDeterministic, !operands.isEmpty || node.inputs.isEmpty else { return nil }
    let facts = graph.facts(operands)
    var tensors: [Tensor?] = []
    for fact in facts.values {
      guard let fact else {
        tensors.append(nil)
        continue
      }
      guard let constant = fact.constant, constant.count <= foldedElementLimit else { return nil }
      tensors.append(constant)
    }
    let types = try during("typing node '\(node.name)'") { () throws(ModelError) in
      try Graph.infer(node.op, facts, quantizedAs: quantizations)
    }
    guard types.allSatisfy({ ($0.shape?.count ?? 0) <= foldedElementLimit }) else { return nil }
    return try Graph.evaluate(node, Operands(tensors), quantizations: quantizations)
  }

  /// The content of a value whose extents are all known: what Shape of a known shape is.
  private static func constant(from fact: Fact) -> Tensor? {
    guard let extents = fact.extents, fact.element.isInteger, let shape = fact.type.shape,
      shape.count == extents.count
    else { return nil }
    var values: [Int64] = []
    for extent in extents {
      guard let value = extent.value else { return nil }
      values.append(Int64(value))
    }
    return Tensor(fact.element, shape, integers: values)
  }
}
