import TensorCore

/// Reads the text form. Every statement goes through ``Graph``'s own methods, so that no ill-typed graph
/// can come out.
struct GraphParser {
  private var scanner: TextScanner
  private let operators: [String: any Operator.Type]
  private let tensors: [Tensor?]
  private let limits: GraphTextLimits
  private var constantBytesLeft: Int
  private var graph = Graph()
  private var values: [Substring: ValueID] = [:]
  private var portCount = 0
  private var version = 1
  /// Graphs around the one that is being read.
  private var graphDepth = 0

  init(
    _ text: String, operators: [any Operator.Type], tensors: [Tensor?], limits: GraphTextLimits
  ) throws(ModelError) {
    scanner = TextScanner(text)
    var named: [String: any Operator.Type] = [:]
    for kind in operators { named[kind.name] = kind }
    self.operators = named
    self.tensors = tensors
    self.limits = limits
    constantBytesLeft = limits.constantBytes
  }

  mutating func parse() throws(ModelError) -> Graph {
    _ = scanner.nextStatement()
    let place = scanner
    guard scanner.word() == "graph" else {
      throw place.error("a graph starts with 'graph \(GraphText.versions.lowerBound)'")
    }
    version = try scanner.integer()
    guard GraphText.versions.contains(version) else {
      throw scanner.error(
        "version \(version) of the text form; this reads up to \(GraphText.versions.upperBound)",
        code: .unsupportedFeature)
    }
    try scanner.endOfLine()
    while scanner.nextStatement() {
      try parseStatement()
      try scanner.endOfLine()
    }
    return graph
  }

  private mutating func parseStatement() throws(ModelError) {
    switch scanner.peek() {
    case UInt8(ascii: "%"), UInt8(ascii: "="): return try parseNode()
    default: break
    }
    let place = scanner
    switch scanner.word() {
    case "metadata": try parseMetadata()
    case "input": try parseInput()
    case "constant": try parseConstant()
    case "output": try parseOutput()
    default:
      throw place.error("expected 'metadata', 'input', 'constant', 'output' or a value")
    }
  }

  private mutating func parseMetadata() throws(ModelError) {
    let place = scanner
    let key = try scanner.name()
    try scanner.expect("=")
    guard graph.metadata.updateValue(try scanner.string(), forKey: key) == nil else {
      throw place.error("metadata '\(key)' is there twice")
    }
  }

  private mutating func parseInput() throws(ModelError) {
    let start = scanner
    try countPort()
    let (label, name) = try parseDefinition()
    try scanner.expect(":")
    let type = try parseType()
    let id = try GraphParser.at(start) { () throws(ModelError) in
      try graph.addInput(name ?? String(label), type)
    }
    try define(label, id)
  }

  private mutating func parseConstant() throws(ModelError) {
    let (label, name) = try parseDefinition()
    try scanner.expect(":")
    let type = try parseType()
    try scanner.expect("=")
    let tensor = try parseElements(of: type, stored: true)
    try define(label, graph.addConstant(tensor, named: name ?? String(label)))
  }

  private mutating func parseOutput() throws(ModelError) {
    let start = scanner
    try countPort()
    let name = try scanner.name()
    try scanner.expect("=")
    let id = try parseReference()
    try GraphParser.at(start) { () throws(ModelError) in try graph.addOutput(name, id) }
  }

  /// Puts the place of a statement on the trail of what the graph throws.
  private static func at<Result>(
    _ place: TextScanner, _ body: () throws(ModelError) -> Result
  ) throws(ModelError) -> Result {
    try during("reading \(place.place)", body)
  }

  private mutating func countPort() throws(ModelError) {
    portCount += 1
    guard portCount <= limits.inputsAndOutputs else {
      throw scanner.error(
        "more than \(limits.inputsAndOutputs) inputs and outputs", code: .limitExceeded)
    }
  }

  // MARK: - Values

  private mutating func parseLabel() throws(ModelError) -> Substring {
    try scanner.expect("%")
    let label = scanner.word()
    guard GraphText.isIdentifier(label) || label.utf8.allSatisfy(GraphText.isDigit), !label.isEmpty
    else { throw scanner.error("expected a name or number after '%'") }
    return label
  }

  /// `%label`, and the quoted name where there is one.
  private mutating func parseDefinition() throws(ModelError) -> (label: Substring, name: String?) {
    let place = scanner
    let label = try parseLabel()
    guard values[label] == nil else {
      throw place.error("%\(label) is defined twice", code: .invalidGraph)
    }
    return (label, scanner.peek() == UInt8(ascii: "\"") ? try scanner.string() : nil)
  }

  private mutating func parseReference() throws(ModelError) -> ValueID {
    let place = scanner
    let label = try parseLabel()
    guard let id = values[label] else {
      throw place.error("%\(label) is not defined above", code: .invalidGraph)
    }
    return id
  }

  private mutating func define(_ label: Substring, _ id: ValueID) throws(ModelError) {
    guard values.updateValue(id, forKey: label) == nil else {
      throw scanner.error("%\(label) is defined twice", code: .invalidGraph)
    }
  }

  // MARK: - Nodes

  private mutating func parseNode() throws(ModelError) {
    var definitions: [(label: Substring, name: String?, type: TensorType?, place: TextScanner)] = []
    while scanner.peek() != UInt8(ascii: "=") {
      if !definitions.isEmpty { try scanner.expect(",") }
      let place = scanner
      let (label, name) = try parseDefinition()
      definitions.append((label, name, scanner.take(":") ? try parseType() : nil, place))
    }
    try scanner.expect("=")
    let start = scanner
    let kind = String(scanner.word())
    guard let operatorType = operators[kind] else {
      throw start.error("there is no operator '\(kind)'", code: .unsupportedOperator)
    }
    let operands = try parseOperands()
    let attributes = try parseAttributes()
    let name =
      scanner.peek() == UInt8(ascii: "\"")
      ? try scanner.string() : definitions.first.map { String($0.label) } ?? ""
    var origin = ""
    if scanner.peek() == UInt8(ascii: "f") {
      let place = scanner
      guard scanner.word() == "from" else { throw place.error("expected 'from'") }
      origin = try scanner.string()
    }
    let outputNames = definitions.enumerated().map { index, definition in
      definition.name
        ?? GraphText.outputName(label: String(definition.label), node: name, index: index)
    }
    let made = try GraphParser.at(start) { () throws(ModelError) in
      try graph.append(
        operatorType.init(attributes: attributes), named: name, to: operands, origin: origin,
        outputNames: outputNames, quantizedAs: definitions.map { $0.type?.quantization })
    }
    guard made.count == definitions.count else {
      throw start.error(
        "\(kind) has \(made.count) outputs, and \(definitions.count) are named",
        code: .invalidGraph)
    }
    for (id, definition) in zip(made, definitions) {
      // A type may say less than inference knows, which learns.
      if let type = definition.type, (try? type.joined(with: graph.type(id))) != type {
        let inferred = TensorText.type(graph.type(id), limit: nil)
        throw definition.place.error(
          "%\(definition.label) is \(inferred), not \(TensorText.type(type, limit: nil))",
          code: .invalidGraph)
      }
      try define(definition.label, id)
    }
  }

  private mutating func parseOperands() throws(ModelError) -> [ValueID?] {
    var operands: [ValueID?] = []
    try scanner.expect("(")
    while !scanner.take(")") {
      if !operands.isEmpty { try scanner.expect(",") }
      guard operands.count < limits.operands else {
        throw scanner.error("more than \(limits.operands) operands", code: .limitExceeded)
      }
      operands.append(scanner.take("_") ? nil : try parseReference())
    }
    return operands
  }

  private mutating func parseAttributes() throws(ModelError) -> [(name: String, value: Attribute)] {
    var attributes: [(name: String, value: Attribute)] = []
    guard scanner.take("{") else { return attributes }
    while !scanner.take("}") {
      if !attributes.isEmpty { try scanner.expect(",") }
      let place = scanner
      let name = String(scanner.word())
      guard !attributes.contains(where: { $0.name == name }) else {
        throw place.error("attribute '\(name)' is there twice")
      }
      guard attributes.count < 256 else {
        throw place.error("more than 256 attributes", code: .limitExceeded)
      }
      try scanner.expect("=")
      attributes.append((name, try parseAttribute()))
    }
    return attributes
  }

  private mutating func parseAttribute() throws(ModelError) -> Attribute {
    switch scanner.peek() {
    case UInt8(ascii: "\""): return .string(try scanner.string())
    case UInt8(ascii: "["): return try parseListAttribute()
    default: break
    }
    let place = scanner
    let word = scanner.word()
    switch word {
    case "true": return .boolean(true)
    case "false": return .boolean(false)
    case "none": return .none
    case "graph": return .graph(try parseInnerGraph(place))
    case "integers", "floats", "strings":
      try scanner.expect("[")
      try scanner.expect("]")
      return word == "integers" ? .integers([]) : word == "floats" ? .floats([]) : .strings([])
    default: break
    }
    scanner = place
    if ElementType(rawValue: String(word)) != nil {
      let type = try parseType()
      return .tensor(try parseElements(of: type, stored: false))
    }
    return try parseNumber()
  }

  /// The statements of a graph within a node, in braces (`T17`).
  private mutating func parseInnerGraph(_ place: TextScanner) throws(ModelError) -> Graph {
    guard version >= 2 else { throw place.error("version 1 has no graphs within nodes") }
    guard graphDepth < Graph.maximumDepth else {
      throw place.error(
        "graphs within graphs more than \(Graph.maximumDepth) deep", code: .limitExceeded)
    }
    let (outerGraph, outerValues) = (graph, values)
    graph = Graph()
    values = [:]
    graphDepth += 1
    let outerDepth = try scanner.openBlock()
    try scanner.endOfLine()
    while scanner.nextStatement(), scanner.peek() != UInt8(ascii: "}") {
      try parseStatement()
      try scanner.endOfLine()
    }
    try scanner.closeBlock(outerDepth)
    let inner = graph
    graph = outerGraph
    values = outerValues
    graphDepth -= 1
    return inner
  }

  private mutating func parseNumber() throws(ModelError) -> Attribute {
    let place = scanner
    let digits = try scanner.number()
    scanner = place
    if Int(digits) != nil { return .integer(try GraphParser.integer(&scanner)) }
    return .float(try scanner.float())
  }

  private static func integer(_ scanner: inout TextScanner) throws(ModelError) -> Int {
    let place = scanner
    let value: Int = try scanner.integer()
    guard GraphTextLimits.integers.contains(value) else {
      throw place.error("\(value) is beyond 32 bits", code: .limitExceeded)
    }
    return value
  }

  /// A list whose first entry says what it is a list of.
  private mutating func parseListAttribute() throws(ModelError) -> Attribute {
    try scanner.expect("[")
    if scanner.peek() == UInt8(ascii: "\"") {
      return .strings(
        try parseRest { (scanner: inout TextScanner) throws(ModelError) in try scanner.string() })
    }
    let place = scanner
    let isInteger = Int(try scanner.number()) != nil
    scanner = place
    if isInteger {
      return .integers(
        try parseRest { (scanner: inout TextScanner) throws(ModelError) in
          try GraphParser.integer(&scanner)
        })
    }
    return .floats(
      try parseRest { (scanner: inout TextScanner) throws(ModelError) in try scanner.float() })
  }

  /// The entries up to the closing bracket; there is at least one.
  private mutating func parseRest<Entry>(
    _ entry: (inout TextScanner) throws(ModelError) -> Entry
  ) throws(ModelError) -> [Entry] {
    var list = [try entry(&scanner)]
    while !scanner.take("]") {
      try scanner.expect(",")
      list.append(try entry(&scanner))
    }
    return list
  }

  // MARK: - Types and elements

  private mutating func parseType() throws(ModelError) -> TensorType {
    let place = scanner
    var word = scanner.word()
    if version >= 2, word == "sequence" {
      let member = scanner
      word = scanner.word()
      scanner = member
      let type = try parseType()
      guard type.quantization == nil, !type.isSequence else {
        throw member.error("a sequence of \(word) with parameters", code: .invalidValue)
      }
      return .sequence(of: type)
    }
    guard let element = ElementType(rawValue: String(word)) else {
      throw place.error("'\(word)' is not an element type")
    }
    try scanner.expect("[")
    var dimensions: [Dimension]? = []
    if scanner.take("…") {
      dimensions = nil
      try scanner.expect("]")
    } else {
      dimensions = try parseDimensions()
    }
    guard scanner.take("@") else { return TensorType(element, dimensions) }
    let quantization = try parseQuantization(element, dimensions)
    return TensorType(element, dimensions, quantization: quantization)
  }

  private mutating func parseDimensions() throws(ModelError) -> [Dimension] {
    var dimensions: [Dimension] = []
    while !scanner.take("]") {
      if !dimensions.isEmpty { try scanner.expect("×") }
      switch scanner.peek() {
      case UInt8(ascii: "?"):
        try scanner.expect("?")
        dimensions.append(.unknown)
      case .some(let byte) where GraphText.isDigit(byte):
        dimensions.append(.fixed(try scanner.integer()))
      default: dimensions.append(.symbol(try scanner.name()))
      }
      guard dimensions.count <= Shape.maximumRank else {
        throw scanner.error("a rank above \(Shape.maximumRank)", code: .limitExceeded)
      }
    }
    do { _ = try Shape(dimensions.compactMap(\.value)) } catch {
      throw scanner.error(error.message, code: error.code)
    }
    return dimensions
  }

  private mutating func parseQuantization(
    _ element: ElementType, _ dimensions: [Dimension]?
  ) throws(ModelError) -> QuantizationParameters {
    let place = scanner
    guard element.isInteger, let range = element.integerRange else {
      throw place.error("\(element) cannot be quantized", code: .invalidValue)
    }
    if scanner.take("axis") {
      let axis: Int = try scanner.integer()
      let extent = dimensions.flatMap { $0.indices.contains(axis) ? $0[axis].value : nil }
      let scales: [Float]
      if version >= 3, scanner.take("#") {
        scales = try parseStoredScales(extent ?? 0)
      } else {
        try scanner.expect("[")
        scales = try parseRest { (scanner: inout TextScanner) throws(ModelError) in
          try scanner.scale()
        }
      }
      guard extent == scales.count, extent != 0 else {
        throw place.error(
          "\(scales.count) scales do not fit axis \(axis)", code: .invalidValue)
      }
      return QuantizationParameters(perChannel: scales, axis: axis)
    }
    let scale = try scanner.scale()
    let zeroPoint: Int32 = try scanner.integer()
    guard range.contains(Int64(zeroPoint)) else {
      throw place.error("zero point \(zeroPoint) is outside \(element)", code: .invalidValue)
    }
    return QuantizationParameters(scale: scale, zeroPoint: zeroPoint)
  }

  /// As many scales of a tensor as an axis has indices (`T18`).
  private mutating func parseStoredScales(_ count: Int) throws(ModelError) -> [Float] {
    let place = scanner
    let number: Int = try scanner.integer()
    try scanner.expect("+")
    let start: Int = try scanner.integer()
    let factor = try scanner.take("*") ? scanner.scale() : nil
    guard tensors.indices.contains(number), let tensor = tensors[number],
      tensor.element == .float32, tensor.shape.rank == 1
    else { throw place.error("there is no vector #\(number) of scales") }
    guard start >= 0, start <= tensor.count, count <= tensor.count - start else {
      throw place.error("tensor #\(number) is \(tensor.type)")
    }
    try tensor.load()
    let scales = tensor.withElements(of: Float.self) { all in
      all[start..<start + count].map { scale in factor.map { $0 * scale } ?? scale }
    }
    guard scales.allSatisfy({ $0.isFinite && $0 > 0 }) else {
      throw place.error("a scale must be finite and above 0", code: .invalidValue)
    }
    return scales
  }

  /// - Parameter stored: whether the elements may be those of a numbered tensor.
  private mutating func parseElements(
    of type: TensorType, stored: Bool
  ) throws(ModelError) -> Tensor {
    let place = scanner
    guard let shape = type.shape else {
      throw place.error("elements need a type with a known shape", code: .invalidValue)
    }
    if stored, scanner.take("#") {
      let number: Int = try scanner.integer()
      guard tensors.indices.contains(number), let tensor = tensors[number] else {
        throw place.error("there is no tensor #\(number)")
      }
      guard tensor.element == type.element, tensor.shape == shape else {
        throw place.error("tensor #\(number) is \(tensor.type)")
      }
      return tensor.reading(as: type.quantization)
    }
    let byteCount = shape.count * type.element.byteCount
    guard byteCount <= constantBytesLeft else {
      throw place.error(
        "constants take more than \(limits.constantBytes) bytes", code: .limitExceeded)
    }
    constantBytesLeft -= byteCount
    return try scanner.elements(of: type.element, shape, quantization: type.quantization)
  }
}
