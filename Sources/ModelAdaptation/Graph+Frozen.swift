import ModelIR
import TensorCore

/// What of a graph does not depend on its parameters.
extension Graph {
  /// Values that do not depend on `parameters` but are read by nodes that do.
  func frozenBoundary(of parameters: Set<String>) -> [ValueID] {
    var active = Set(inputs.filter { parameters.contains($0.name) }.map(\.value))
    for node in nodes
    where node.inputs.contains(where: { $0.map { active.contains($0) } ?? false }) {
      active.formUnion(node.outputs)
    }
    var seen: Set<ValueID> = []
    var boundary: [ValueID] = []
    func meet(_ id: ValueID) {
      guard !active.contains(id), constant(id) == nil, seen.insert(id).inserted else { return }
      boundary.append(id)
    }
    for node in nodes where node.outputs.contains(where: { active.contains($0) }) {
      for case let input? in node.inputs { meet(input) }
    }
    for port in outputs { meet(port.value) }
    return boundary
  }

  /// The graph with some of its values known: its inputs are those of `kept` that are left.
  func with(
    _ known: [(value: ValueID, tensor: Tensor)], inputs kept: Set<String>
  ) throws(ModelError) -> Graph {
    let ports = inputs.filter { kept.contains($0.name) }.map { (name: $0.name, value: $0.value) }
    let names = known.indices.map { "known \($0)" }
    let open = try extracted(
      from: ports + zip(names, known).map { ($0, $1.value) },
      to: outputs.map { (name: $0.name, value: $0.value) })
    var new = Graph()
    new.metadata = metadata
    var operands: [ValueID] = []
    for (index, port) in open.inputs.enumerated() {
      if index < ports.count {
        operands.append(try new.addInput(port.name, open.type(port.value)))
      } else {
        operands.append(
          new.addConstant(
            known[index - ports.count].tensor, named: self[known[index - ports.count].value].name))
      }
    }
    for (port, id) in zip(outputs, try new.append(contentsOf: open, on: operands)) {
      try new.addOutput(port.name, id)
    }
    return new
  }
}
