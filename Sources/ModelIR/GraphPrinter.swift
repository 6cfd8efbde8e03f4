import TensorCore

/// Writes the statements of one graph, and of those within its nodes.
struct GraphPrinter {
  private let graph: Graph
  private let constants: GraphText.Constants
  private let labels: [String]
  /// Goes before every statement.
  private let indent: String
  private var text = ""

  init(_ graph: Graph, _ constants: GraphText.Constants, indent: String = "") {
    self.graph = graph
    self.constants = constants
    self.indent = indent
    labels = GraphText.labels(of: graph)
  }

  /// Nil where lists are shown whole.
  private var limit: Int? { if case .elided(let limit) = constants { limit } else { nil } }

  private mutating func add(_ statement: String) { text += indent + statement + "\n" }

  mutating func statements() -> String {
    let metadata = graph.metadata.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
    for (key, value) in metadata {
      add("metadata \(GraphText.word(key)) = \(GraphText.quoted(value))")
    }
    var nextNode = 0
    for (index, value) in graph.values.enumerated() {
      let id = ValueID(index: index)
      if let producer = value.producer {
        while nextNode <= producer {
          addNode(graph.nodes[nextNode])
          nextNode += 1
        }
      } else if let tensor = value.fact.constant {
        let head = "constant \(definition(id, name: labels[index])): \(stored(value.type)) = "
        if case .numbered(let numbers) = constants, let number = numbers[tensor] {
          add(head + "#\(number)")
        } else {
          add(head + TensorText.elements(tensor, limit: limit))
        }
      } else {
        add("input \(definition(id, name: labels[index])): \(type(value.type))")
      }
    }
    while nextNode < graph.nodes.count {
      addNode(graph.nodes[nextNode])
      nextNode += 1
    }
    for output in graph.outputs {
      add("output \(GraphText.word(output.name)) = %\(labels[output.value.index])")
    }
    return text
  }

  private func type(_ type: TensorType) -> String { TensorText.type(type, limit: limit) }

  /// The type of a constant, whose scales may be kept elsewhere.
  private func stored(_ type: TensorType) -> String {
    guard case .numbered(let numbers) = constants, let parameters = type.quantization,
      let axis = parameters.axis, let place = numbers.scales[parameters.scales]
    else { return self.type(type) }
    let plain = TensorType(type.element, type.dimensions)
    return TensorText.type(plain, limit: nil) + " @axis\(axis) " + place.text
  }

  /// The label of a value, and its name unless `name` says it already.
  private func definition(_ id: ValueID, name: String) -> String {
    let label = labels[id.index]
    let own = graph[id].name
    return own == name ? "%\(label)" : "%\(label) \(GraphText.quoted(own))"
  }

  private mutating func addNode(_ node: Node) {
    let outputs = node.outputs.enumerated().map { index, id in
      let usual = GraphText.outputName(label: labels[id.index], node: node.name, index: index)
      let shown =
        limit == nil
        ? definition(id, name: usual) : "%\(labels[id.index])"
      return "\(shown): \(type(graph.type(id)))"
    }
    let operands = node.inputs.map { $0.map { "%\(labels[$0.index])" } ?? "_" }
    var line = outputs.joined(separator: ", ") + (outputs.isEmpty ? "= " : " = ")
    line += Swift.type(of: node.op).name + "(" + operands.joined(separator: ", ") + ")"
    let attributes = attributes(of: node.op)
    if !attributes.isEmpty { line += " {" + attributes.joined(separator: ", ") + "}" }
    if node.name != node.outputs.first.map({ labels[$0.index] }) {
      line += " " + GraphText.quoted(node.name)
    }
    if !node.origin.isEmpty { line += " from " + GraphText.quoted(node.origin) }
    add(line)
  }

  /// `name=value` for each attribute that differs from the operator's default.
  private func attributes<Op: Operator>(of op: Op) -> [String] {
    let defaults = Op()
    return Op.fields.compactMap { field in
      let attribute = field.get(op)
      if case .graph(let inner) = attribute {
        guard attribute != field.get(defaults) else { return nil }
        var printer = GraphPrinter(inner, constants, indent: indent + "  ")
        return "\(field.name)=graph {\n" + printer.statements() + indent + "}"
      }
      let value = TensorText.attribute(attribute, limit: limit)
      guard value != TensorText.attribute(field.get(defaults), limit: limit) else { return nil }
      return "\(field.name)=\(value)"
    }
  }
}
