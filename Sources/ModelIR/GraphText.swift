import TensorCore

/// The text form of graphs, `formats/text.md`: one statement a line, made for reading, and complete: what
/// ``print(_:_:)`` writes in full, ``parse(_:operators:tensors:)`` reads back as the same graph.
package enum GraphText {
  package static let version = 1

  /// How much a printed constant shows.
  package enum Constants: Sendable {
    /// Every element, exactly.
    case complete
    /// Lists of up to `limit` entries; longer ones end in `…`, which does not read back (`T14`).
    case elided(limit: Int)
    /// The number of a tensor that is kept elsewhere, `#3` (`T13`).
    case numbered([ValueID: Int])
  }

  package static func print(_ graph: Graph, _ constants: Constants = .complete) -> String {
    var printer = GraphPrinter(graph, constants)
    return printer.print()
  }

  /// Reads a graph, typing it anew.
  ///
  /// - Parameters:
  ///   - operators: every operator that the text may name.
  ///   - tensors: what `#n` stands for; texts that stand alone have none.
  /// - Throws: `malformed-input` for text outside the grammar, `unsupported-operator`, and what
  ///   ``Graph/append(_:named:to:origin:outputNames:quantizedAs:)`` throws; all name line and column.
  package static func parse(
    _ text: String, operators: [any Operator.Type], tensors: [Tensor?] = [],
    limits: GraphTextLimits = GraphTextLimits()
  ) throws(ModelError) -> Graph {
    var parser = try GraphParser(text, operators: operators, tensors: tensors, limits: limits)
    return try parser.parse()
  }

  /// A type as the text form writes it (`T5`).
  package static func describe(_ type: TensorType) -> String { TensorText.type(type, limit: nil) }

  /// True for names that need no quotes (`T3`).
  static func isIdentifier(_ name: some StringProtocol) -> Bool {
    guard let first = name.utf8.first, isLetter(first) else { return false }
    return name.utf8.allSatisfy(isWord)
  }

  static func isLetter(_ byte: UInt8) -> Bool {
    (65...90).contains(byte) || (97...122).contains(byte) || byte == UInt8(ascii: "_")
  }

  static func isDigit(_ byte: UInt8) -> Bool { (48...57).contains(byte) }

  /// Letters, digits, underscore and point.
  static func isWord(_ byte: UInt8) -> Bool {
    isLetter(byte) || isDigit(byte) || byte == UInt8(ascii: ".")
  }

  /// `text` in quotes (`T4`).
  package static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case _ where scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value):
        result += "\\u{" + String(scalar.value, radix: 16) + "}"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }

  static func word(_ name: String) -> String { isIdentifier(name) ? name : quoted(name) }

  /// The label that stands for each value: its name where that is short, unique and an identifier,
  /// else its number (`T6`).
  static func labels(of graph: Graph) -> [String] {
    var counts: [String: Int] = [:]
    for value in graph.values { counts[value.name, default: 0] += 1 }
    return graph.values.enumerated().map { index, value in
      value.name.utf8.count <= 40 && isIdentifier(value.name) && counts[value.name] == 1
        ? value.name : String(index)
    }
  }

  /// The name of output `index` of a node, where the text gives none (`T9`).
  static func outputName(label: String, node: String, index: Int) -> String {
    if label.utf8.first.map(isDigit) == false { return label }
    return index == 0 ? node : "\(node).\(index)"
  }
}

/// What a text may ask for before it is refused (`T16`).
package struct GraphTextLimits: Sendable {
  /// Whole numbers that attributes may be: products of two fit 64 bits.
  package static let integers = Int(Int32.min)...Int(Int32.max)
  package var inputsAndOutputs = 4096
  package var operands = 65_536
  /// Bytes of all constants and tensor attributes that the text itself spells out.
  package var constantBytes = 1 << 30

  package init() {}
}

private struct GraphPrinter {
  let graph: Graph
  let constants: GraphText.Constants
  let labels: [String]
  var text = ""

  init(_ graph: Graph, _ constants: GraphText.Constants) {
    self.graph = graph
    self.constants = constants
    labels = GraphText.labels(of: graph)
  }

  /// Nil where lists are shown whole.
  var limit: Int? { if case .elided(let limit) = constants { limit } else { nil } }

  mutating func print() -> String {
    text = "graph \(GraphText.version)\n"
    let metadata = graph.metadata.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
    for (key, value) in metadata {
      text += "metadata \(GraphText.word(key)) = \(GraphText.quoted(value))\n"
    }
    var nextNode = 0
    for (index, value) in graph.values.enumerated() {
      let id = ValueID(index: index)
      if let producer = value.producer {
        while nextNode <= producer {
          printNode(graph.nodes[nextNode])
          nextNode += 1
        }
      } else if let tensor = value.fact.constant {
        text += "constant \(definition(id, name: labels[index])): \(type(value.type)) = "
        switch constants {
        case .numbered(let numbers): text += "#\(numbers[id] ?? -1)\n"
        default: text += TensorText.elements(tensor, limit: limit) + "\n"
        }
      } else {
        text += "input \(definition(id, name: labels[index])): \(type(value.type))\n"
      }
    }
    while nextNode < graph.nodes.count {
      printNode(graph.nodes[nextNode])
      nextNode += 1
    }
    for output in graph.outputs {
      text += "output \(GraphText.word(output.name)) = %\(labels[output.value.index])\n"
    }
    return text
  }

  func type(_ type: TensorType) -> String { TensorText.type(type, limit: limit) }

  /// The label of a value, and its name unless `name` says it already.
  func definition(_ id: ValueID, name: String) -> String {
    let label = labels[id.index]
    let own = graph[id].name
    return own == name ? "%\(label)" : "%\(label) \(GraphText.quoted(own))"
  }

  mutating func printNode(_ node: Node) {
    let outputs = node.outputs.enumerated().map { index, id in
      let usual = GraphText.outputName(label: labels[id.index], node: node.name, index: index)
      let shown =
        limit == nil
        ? definition(id, name: usual) : "%\(labels[id.index])"
      return "\(shown): \(type(graph.type(id)))"
    }
    let operands = node.inputs.map { $0.map { "%\(labels[$0.index])" } ?? "_" }
    text += outputs.joined(separator: ", ") + (outputs.isEmpty ? "= " : " = ")
    text += Swift.type(of: node.op).name + "(" + operands.joined(separator: ", ") + ")"
    let attributes = GraphPrinter.attributes(of: node.op, limit: limit)
    if !attributes.isEmpty { text += " {" + attributes.joined(separator: ", ") + "}" }
    if node.name != node.outputs.first.map({ labels[$0.index] }) {
      text += " " + GraphText.quoted(node.name)
    }
    if !node.origin.isEmpty { text += " from " + GraphText.quoted(node.origin) }
    text += "\n"
  }

  /// `name=value` for each attribute that differs from the operator's default.
  static func attributes<Op: Operator>(of op: Op, limit: Int?) -> [String] {
    let defaults = Op()
    return Op.fields.compactMap { field in
      let value = TensorText.attribute(field.get(op), limit: limit)
      guard value != TensorText.attribute(field.get(defaults), limit: limit) else { return nil }
      return "\(field.name)=\(value)"
    }
  }
}
