import TensorCore

/// The text form of graphs, `formats/text.md`: one statement a line, made for reading, and complete: what
/// ``print(_:_:)`` writes in full, ``parse(_:operators:tensors:)`` reads back as the same graph.
package enum GraphText {
  /// Versions that are read. A text is written in the first that can say it (`T1`).
  package static let versions = 1...3

  /// 2 where a node holds graphs or a value is a sequence, else 1.
  package static func version(of graph: Graph) -> Int {
    graph.nodes.contains { $0.op is any GraphOperator }
      || graph.values.contains { $0.type.isSequence } ? 2 : 1
  }

  /// How much a printed constant shows.
  package enum Constants: Sendable {
    /// Every element, exactly.
    case complete
    /// Lists of up to `limit` entries; longer ones end in `…`, which does not read back (`T14`).
    case elided(limit: Int)
    /// The number of a tensor that is kept elsewhere, `#3` (`T13`), or every element of one that has none.
    case numbered(TensorNumbers)
  }

  package static func print(_ graph: Graph, _ constants: Constants = .complete) -> String {
    var printer = GraphPrinter(graph, constants)
    var version = version(of: graph)
    if case .numbered(let numbers) = constants, !numbers.scales.isEmpty { version = 3 }
    return "graph \(version)\n" + printer.statements()
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

/// Numbers of tensors that are kept apart from the text of a graph (`T13`).
package struct TensorNumbers: Sendable {
  private struct Key: Hashable {
    let storage: ObjectIdentifier
    let element: ElementType
    let shape: Shape

    init(_ tensor: Tensor) {
      storage = ObjectIdentifier(tensor.storage)
      element = tensor.element
      shape = tensor.shape
    }
  }
  private var numbers: [Key: Int] = [:]
  /// Where lists of scales are kept, in version 3 of the text (`T18`).
  package var scales: [[Float]: ScalePlace] = [:]

  package init() {}

  /// The number of a tensor, which lives as long as its number is used.
  package subscript(_ tensor: Tensor) -> Int? {
    get { numbers[Key(tensor)] }
    set { numbers[Key(tensor)] = newValue }
  }
}

/// Scales along an axis that a tensor holds (`T18`).
package struct ScalePlace: Sendable, Hashable {
  /// Of the tensor.
  package let number: Int
  /// Of the first scale in it.
  package let start: Int
  /// What each is multiplied by.
  package let factor: Float?

  package init(number: Int, start: Int, factor: Float? = nil) {
    (self.number, self.start, self.factor) = (number, start, factor)
  }

  var text: String {
    "#\(number)+\(start)" + (factor.map { "*" + TensorText.float($0) } ?? "")
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
