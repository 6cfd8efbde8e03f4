import ModelIR
import ModelOperators
import TensorCore

/// Builds the integer form of a graph whose QuantizeLinear and DequantizeLinear nodes say where integers
/// are: each value's int8 form, and its form in the file, as far as something reads them.
struct AdoptedLowering {
  let source: Graph
  var target = Graph()
  /// The value as the file has it: floats, or integers without parameters.
  private var plain: [ValueID?]
  /// Its int8 form: exact for integers of the file and for what DequantizeLinear makes of them.
  var integers: [ValueID?]
  /// The int8 form of a result that only QuantizeLinear nodes read.
  var finished: [ValueID?]
  /// Parameters that represent the value exactly although it is not int8 yet.
  private var exact: [QuantizationParameters?]
  /// Functions of one integer that wait for what reads them.
  var chains: [ElementChain?]
  /// The parameters that every reader quantizes the value with.
  private(set) var wanted: [QuantizationParameters?]
  private(set) var activations: [QuantizationRecord.Activation] = []
  /// For each node: nil where it runs on integers.
  private var floatReasons: [String?]

  init(_ source: Graph) {
    self.source = source
    plain = [ValueID?](repeating: nil, count: source.values.count)
    integers = plain
    finished = plain
    exact = [QuantizationParameters?](repeating: nil, count: source.values.count)
    chains = [ElementChain?](repeating: nil, count: source.values.count)
    wanted = exact
    floatReasons = [String?](repeating: nil, count: source.nodes.count)
    target.metadata = source.metadata
    findWanted()
  }

  private mutating func findWanted() {
    var refused = Set(source.outputs.map(\.value))
    for node in source.nodes {
      let parameters = FileParameters.made(by: node, in: source)
      for (index, input) in node.inputs.enumerated() {
        guard let input else { continue }
        guard index == 0, let parameters, wanted[input.index] ?? parameters == parameters else {
          refused.insert(input)
          continue
        }
        wanted[input.index] = parameters
      }
    }
    for id in refused { wanted[id.index] = nil }
  }

  /// The integer graph, with the same inputs and outputs.
  mutating func lower() throws(ModelError) -> Graph {
    for port in source.inputs {
      plain[port.value.index] = try target.addInput(port.name, source.type(port.value))
    }
    for (index, node) in source.nodes.enumerated() {
      if let parameters = FileParameters.made(by: node, in: source) {
        try quantize(node, parameters)
      } else if node.op is DequantizeLinear {
        try dequantize(node)
      } else {
        do { floatReasons[index] = try appendInteger(node, at: index) } catch
          where error.code == .notQuantizable
        { floatReasons[index] = error.message }
        if floatReasons[index] != nil { try appendPlain(node) }
      }
    }
    for port in source.outputs { try target.addOutput(port.name, asPlain(port.value)) }
    return try target.withoutDeadCode()
  }

  /// What became of each node that computes something.
  var layers: [QuantizationRecord.Layer] {
    source.nodes.indices.compactMap { index in
      let node = source.nodes[index]
      guard !(node.op is QuantizeLinear || node.op is DequantizeLinear) else { return nil }
      return QuantizationRecord.Layer(
        name: node.name, operatorName: type(of: node.op).name, floatReason: floatReasons[index],
        floatChange: floatReasons[index].map { _ in
          "a file that quantizes what it reads and what it makes"
        })
    }
  }

  // MARK: Conversions of the file

  private mutating func quantize(
    _ node: Node, _ parameters: QuantizationParameters
  ) throws(ModelError) {
    guard let x = node.inputs[0] else { throw ModelError(.invalidGraph, "no operand") }
    let output = node.outputs[0].index
    record(node.outputs[0], parameters)
    if let made = finished[x.index] {
      integers[output] = made
    } else if let chain = chains[x.index],
      let made = try table(chain, to: parameters, named: source[x].name)
    {
      integers[output] = made
    } else if let q = integers[x.index] {
      integers[output] =
        target.type(q).quantization == parameters
        ? q
        : try target.appendOne(
          Quantize(), named: node.name, to: [q], origin: node.origin, quantizedAs: parameters)
    } else {
      integers[output] = try target.appendOne(
        Quantize(), named: node.name, to: [asPlain(x)], origin: node.origin,
        quantizedAs: parameters)
    }
  }

  private mutating func dequantize(_ node: Node) throws(ModelError) {
    guard let x = node.inputs[0] else { throw ModelError(.invalidGraph, "no operand") }
    let output = node.outputs[0].index
    if StoredConstant.isStored(node.outputs[0], in: source) { return }
    let parameters = FileParameters.read(by: node, in: source)
    if let parameters, integers[x.index] == nil, let chain = chains[x.index] {
      integers[x.index] = try table(chain, to: parameters, named: source[x].name)
    }
    if let parameters, let q = integers[x.index], target.type(q).quantization == parameters {
      integers[output] = q
      return
    }
    try appendPlain(node)
    exact[output] = parameters
  }

  private mutating func record(_ id: ValueID, _ parameters: QuantizationParameters) {
    let (scale, zero) = (parameters.scale, Float(parameters.zeroPoint))
    activations.append(
      QuantizationRecord.Activation(
        name: source[id].name, lower: (-128 - zero) * scale, upper: (127 - zero) * scale,
        scale: scale, zeroPoint: parameters.zeroPoint))
  }

  // MARK: Forms of a value

  /// The value as the file has it.
  mutating func asPlain(_ id: ValueID) throws(ModelError) -> ValueID {
    if let existing = plain[id.index] { return existing }
    let name = source[id].name
    let made: ValueID
    if let constant = source.constant(id) {
      made = target.addConstant(constant, named: name)
    } else if let q = integers[id.index] {
      let real = try target.appendOne(Dequantize(), named: "\(name).float", to: [q])
      made = source.type(id).element == .float32 ? real : try unread(real, q, as: id)
    } else if let node = source.producer(of: id), StoredConstant.isStored(id, in: source) {
      var operands: [Tensor?] = []
      for input in node.inputs {
        guard let input else {
          operands.append(nil)
          continue
        }
        let value = try asPlain(input)
        operands.append(target.constant(value))
      }
      made = target.addConstant(try node.op.reference(Operands(operands))[0], named: name)
    } else if chains[id.index] != nil, let producer = source[id].producer {
      chains[id.index] = nil
      floatReasons[producer] = AdoptedLowering.noQuantizedResult
      try appendPlain(source.nodes[producer])
      return try asPlain(id)
    } else {
      throw ModelError(.invalidGraph, "'\(name)' is read before it is made")
    }
    plain[id.index] = made
    return made
  }

  /// The integers of the file again: exact, because what int8 stands for quantizes to itself.
  private mutating func unread(
    _ real: ValueID, _ q: ValueID, as id: ValueID
  ) throws(ModelError) -> ValueID {
    let element = source.type(id).element
    guard let parameters = target.type(q).quantization else {
      throw ModelError(.invalidGraph, "'\(source[id].name)' lost its parameters")
    }
    let zero = parameters.zeroPoint + FileParameters.offset(of: element)
    return try target.appendOne(
      QuantizeLinear(), named: source[id].name,
      to: [
        real, target.addConstant(Tensor(scalar: parameters.scale), named: "scale"),
        target.addConstant(Tensor(element, .scalar, integers: [Int64(zero)]), named: "zero"),
      ])
  }

  /// The int8 form of a value that has one.
  func hasInteger(_ id: ValueID) -> Bool {
    if integers[id.index] != nil || exact[id.index] != nil { return true }
    guard let node = source.producer(of: id), StoredConstant.isStored(id, in: source) else {
      return false
    }
    return FileParameters.read(by: node, in: source) != nil
  }

  mutating func asInteger(_ id: ValueID) throws(ModelError) -> ValueID {
    if let existing = integers[id.index] { return existing }
    let name = source[id].name
    let made: ValueID
    if let parameters = exact[id.index] {
      made = try target.appendOne(
        Quantize(), named: "\(name).int8", to: [asPlain(id)], quantizedAs: parameters)
    } else if let node = source.producer(of: id), StoredConstant.isStored(id, in: source),
      let parameters = FileParameters.read(by: node, in: source),
      let stored = node.inputs[0].flatMap({ source.constant($0) })
    {
      let offset = UInt8(FileParameters.offset(of: stored.element))
      let raw = stored.bytes
      let shifted = Tensor(
        .int8, stored.shape, quantization: parameters,
        writing: { for index in 0..<stored.count { $0[index] = raw[index] &- offset } })
      made = target.addConstant(shifted, named: "\(name).int8")
    } else {
      throw ModelError(.notQuantizable, "the file does not quantize '\(name)'")
    }
    integers[id.index] = made
    return made
  }

  // MARK: Nodes

  static let noQuantizedResult = "the file does not quantize its result"

  mutating func appendPlain(_ node: Node) throws(ModelError) {
    var operands: [ValueID?] = []
    for input in node.inputs {
      if let input { operands.append(try asPlain(input)) } else { operands.append(nil) }
    }
    let made = try target.append(
      node.op, named: node.name, to: operands, origin: node.origin,
      outputNames: node.outputs.map { source[$0].name })
    for (old, id) in zip(node.outputs, made) { plain[old.index] = id }
  }

  /// Sets the form in the file of an output that an integer operator makes as it is.
  mutating func setPlain(_ id: ValueID, to made: ValueID) { plain[id.index] = made }
}
