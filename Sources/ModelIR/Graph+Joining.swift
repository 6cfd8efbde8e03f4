import TensorCore

extension Graph {
  /// A port of one of several graphs.
  package struct Joint: Sendable, Hashable {
    package let graph: String
    package let port: String

    package init(_ graph: String, _ port: String) {
      self.graph = graph
      self.port = port
    }
  }

  /// Several graphs as one. Inputs of one name that nothing is linked to are one input.
  ///
  /// - Parameters:
  ///   - graphs: each after those that feed it.
  ///   - links: for inputs the outputs that they are.
  ///   - outputs: those that the whole has.
  /// - Throws: `invalid-graph` for a port that there is not, and where two outputs have one name; `shape-mismatch` where inputs of
  ///   one name are of different types.
  package init(
    joining graphs: [(name: String, graph: Graph)], links: [Joint: Joint], outputs: [Joint]
  ) throws(ModelError) {
    self.init()
    var made: [Joint: ValueID] = [:]
    func value(_ joint: Joint) throws(ModelError) -> ValueID {
      guard let id = made[joint] else {
        throw ModelError(.invalidGraph, "'\(joint.graph)' makes no '\(joint.port)' in time")
      }
      return id
    }
    for (name, graph) in graphs {
      var map = [ValueID?](repeating: nil, count: graph.values.count)
      for port in graph.inputs {
        if let link = links[Joint(name, port.name)] {
          map[port.value.index] = try value(link)
        } else if let shared = inputs.first(where: { $0.name == port.name }) {
          guard type(shared.value) == graph.type(port.value) else {
            throw ModelError(
              .shapeMismatch,
              "input '\(port.name)' is \(type(shared.value)), and \(graph.type(port.value)) in '\(name)'"
            )
          }
          map[port.value.index] = shared.value
        } else {
          map[port.value.index] = try addInput(port.name, graph.type(port.value))
        }
      }
      for (index, value) in graph.values.enumerated() where value.producer == nil {
        guard map[index] == nil, let constant = value.fact.constant else { continue }
        map[index] = addConstant(constant, named: "\(name).\(value.name)")
      }
      for node in graph.nodes {
        let results = try append(
          node.op, named: "\(name).\(node.name)",
          to: node.inputs.map { $0.flatMap { map[$0.index] } },
          origin: node.origin, outputNames: node.outputs.map { "\(name).\(graph[$0].name)" },
          quantizedAs: graph.quantizations(of: node), isChecked: true)
        for (old, id) in zip(node.outputs, results) { map[old.index] = id }
      }
      for port in graph.outputs { made[Joint(name, port.name)] = map[port.value.index] }
    }
    for output in outputs { try addOutput(output.port, try value(output)) }
  }
}
