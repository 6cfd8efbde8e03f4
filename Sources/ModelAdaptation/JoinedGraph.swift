import ModelIR
import TensorCore

/// Graphs that feed each other, as one; some constants become inputs, so that they can change.
package struct JoinedGraph {
  package var graph = Graph()
  private var inputs: [String: ValueID] = [:]

  package init() {}

  /// Appends `part`. Inputs that nothing feeds become inputs of the whole, one for each name.
  ///
  /// - Parameters:
  ///   - parameters: names of inputs of the whole by the constants that they stand for.
  ///   - fed: values of the whole by the inputs that they feed.
  /// - Returns: the outputs by name.
  package mutating func append(
    _ part: Graph, parameters: [String: String], fed: [String: ValueID]
  ) throws(ModelError) -> [String: ValueID] {
    var ports = part.inputs.map { (name: $0.name, value: $0.value) }
    for (index, value) in part.values.enumerated() where value.fact.constant != nil {
      guard let name = parameters[value.name] else { continue }
      ports.append((name, part.id(at: index)))
    }
    let open = try part.extracted(
      from: ports, to: part.outputs.map { (name: $0.name, value: $0.value) })
    var operands: [ValueID] = []
    for port in open.inputs {
      if let value = fed[port.name] {
        operands.append(value)
      } else {
        operands.append(try input(port.name, open.type(port.value)))
      }
    }
    let made = try graph.append(contentsOf: open, on: operands)
    return Dictionary(
      zip(part.outputs.map(\.name), made), uniquingKeysWith: { first, _ in first })
  }

  /// The input of a name, which is made where there is none.
  package mutating func input(
    _ name: String, _ type: TensorType
  ) throws(ModelError) -> ValueID {
    if let known = inputs[name] { return known }
    let made = try graph.addInput(name, type)
    inputs[name] = made
    return made
  }
}
