import TensorCore

extension Graph {
  /// The part of the graph between some values: `inputs` become inputs of these names, and nothing
  /// before them is kept.
  ///
  /// - Throws: `invalid-graph` where an output needs an input of the graph that is not given.
  package func extracted(
    from inputs: [(name: String, value: ValueID)], to outputs: [(name: String, value: ValueID)]
  ) throws(ModelError) -> Graph {
    let given = Set(inputs.map(\.value))
    var needed = Set(outputs.map(\.value)).subtracting(given)
    var kept: Set<Int> = []
    for (index, node) in nodes.enumerated().reversed()
    where node.outputs.contains(where: { needed.contains($0) }) {
      kept.insert(index)
      for case let input? in node.inputs where !given.contains(input) { needed.insert(input) }
    }
    var new = Graph()
    new.metadata = metadata
    var map: [ValueID: ValueID] = [:]
    for (name, value) in inputs { map[value] = try new.addInput(name, type(value)) }
    for (index, value) in values.enumerated() where value.producer == nil {
      let id = id(at: index)
      guard needed.contains(id), map[id] == nil else { continue }
      guard let constant = value.fact.constant else {
        throw ModelError(.invalidGraph, "the part needs '\(value.name)' as well")
      }
      map[id] = new.addConstant(constant, named: value.name)
    }
    for (index, node) in nodes.enumerated() where kept.contains(index) {
      let made = try new.append(
        node.op, named: node.name, to: node.inputs.map { $0.flatMap { map[$0] } },
        origin: node.origin, outputNames: node.outputs.map { self[$0].name },
        quantizedAs: quantizations(of: node))
      for (old, id) in zip(node.outputs, made) where map[old] == nil { map[old] = id }
    }
    for (name, value) in outputs {
      guard let id = map[value] else {
        throw ModelError(.invalidGraph, "output '\(name)' is not made by any node")
      }
      try new.addOutput(name, id)
    }
    return new
  }
}
