import ModelIR
import ModelOperators
import TensorCore

/// Builds an ``OnnxGraph`` from a graph.
///
/// Each value has a name under which it is stored. Where it is quantized, its real numbers have a name
/// of their own, which a DequantizeLinear makes once, for the first reader.
struct GraphExporter {
  let graph: Graph
  let opset: Int
  private var made = OnnxGraph()
  private var used: Set<String> = []
  private var usedByNodes: Set<String> = []
  private var stored: [String?]
  private var real: [String?]

  init(_ source: Graph, opset: Int) throws(ModelError) {
    graph = try source.withMemoriesInSteps()
    self.opset = opset
    stored = [String?](repeating: nil, count: graph.values.count)
    real = stored
  }

  mutating func export() throws(ModelError) -> OnnxGraph {
    for port in graph.inputs {
      stored[port.value.index] = fresh(port.name)
      made.inputs.append(
        OnnxPort(name: port.name, type: graph.type(port.value), unsupported: nil))
    }
    nameOutputs()
    return try exportNodes(outputNames: graph.outputs.map(\.name))
  }

  /// A graph within a node. What it captures has the names that it has around the node; all other names
  /// are taken by nothing else, so that no reader has to know which of two hides the other.
  mutating func export(
    captures: [String], within outer: inout GraphExporter
  ) throws(ModelError) -> OnnxGraph {
    used = outer.used
    let formals = graph.inputs.dropLast(captures.count)
    for port in formals {
      let name = fresh(port.name)
      stored[port.value.index] = name
      made.inputs.append(OnnxPort(name: name, type: graph.type(port.value), unsupported: nil))
    }
    for (port, name) in zip(graph.inputs.dropFirst(formals.count), captures) {
      stored[port.value.index] = name
    }
    var names: [String] = []
    for port in graph.outputs {
      let isFree = stored[port.value.index] == nil && graph[port.value].producer != nil
      let name = fresh(port.name)
      if isFree { stored[port.value.index] = name }
      names.append(name)
    }
    let inner = try exportNodes(outputNames: names)
    outer.used = used
    return inner
  }

  private mutating func exportNodes(outputNames: [String]) throws(ModelError) -> OnnxGraph {
    for node in graph.nodes {
      try during("exporting node '\(node.name)' (\(type(of: node.op).name))") {
        () throws(ModelError) in try export(node)
      }
    }
    for (port, output) in zip(graph.outputs, outputNames) {
      let name = storedName(port.value)
      if name != output { emit("Identity", [name], [output], name: output) }
      made.outputs.append(
        OnnxPort(name: output, type: graph.type(port.value), unsupported: nil))
    }
    return made
  }

  /// Values that are graph outputs take the port's name, so that no copy is needed.
  private mutating func nameOutputs() {
    for port in graph.outputs {
      let isFree = stored[port.value.index] == nil && graph[port.value].producer != nil
      if isFree, !used.contains(port.name) { stored[port.value.index] = fresh(port.name) }
      used.insert(port.name)
    }
  }

  // MARK: - Names

  /// `name`, or `name_1` and so on where it is taken.
  mutating func fresh(_ name: String) -> String {
    GraphExporter.unique(name.isEmpty ? "value" : name, among: &used)
  }

  private static func unique(_ base: String, among used: inout Set<String>) -> String {
    var candidate = base
    var count = 0
    while !used.insert(candidate).inserted {
      count += 1
      candidate = "\(base)_\(count)"
    }
    return candidate
  }

  mutating func storedName(_ id: ValueID) -> String {
    if let name = stored[id.index] { return name }
    let name = fresh(graph[id].name)
    stored[id.index] = name
    if let constant = graph.constant(id) { made.initializers.append((name, constant)) }
    return name
  }

  /// The name of the real numbers that a value stands for.
  mutating func realName(_ id: ValueID) -> String {
    if let name = real[id.index] { return name }
    let name = storedName(id)
    guard graph.type(id).quantization != nil else { return name }
    let dequantized = fresh("\(name).float")
    dequantize(id, as: dequantized)
    real[id.index] = dequantized
    return dequantized
  }

  // MARK: - Nodes

  /// A node, whose name gets a number where another node has it.
  mutating func emit(
    _ kind: String, _ inputs: [String], _ outputs: [String], name: String,
    attributes: [OnnxAttribute] = []
  ) {
    var node = OnnxNode()
    node.kind = kind
    node.name = GraphExporter.unique(name, among: &usedByNodes)
    node.inputs = inputs
    node.outputs = outputs
    node.attributes = attributes
    made.nodes.append(node)
  }

  /// A node with one output, whose name is free to choose.
  mutating func emit(
    _ kind: String, _ inputs: [String], as name: String, attributes: [OnnxAttribute] = []
  ) -> String {
    let output = fresh(name)
    emit(kind, inputs, [output], name: output, attributes: attributes)
    return output
  }

  mutating func constant(_ tensor: Tensor, named name: String) -> String {
    let name = fresh(name)
    made.initializers.append((name, tensor))
    return name
  }

  func fact(_ id: ValueID) -> Fact {
    let fact = graph.fact(id)
    return fact.type.quantization == nil ? fact : Fact(fact.type.logical)
  }

  private mutating func export(_ node: Node) throws(ModelError) {
    if node.op is Quantize, let x = node.inputs.first ?? nil,
      graph.type(node.outputs[0]).quantization != nil
    {
      try store([realName(x)], of: node)
    } else if node.op is Dequantize, let x = node.inputs.first ?? nil {
      let output = storedName(node.outputs[0])
      dequantize(x, as: output)
      if real[x.index] == nil { real[x.index] = output }
    } else if let table = node.op as? LookupTable {
      try store([try export(table, node)], of: node)
    } else if let layer = node.op as? any LayerOperator {
      try store([try export(layer, node)], of: node)
    } else if let norm = node.op as? NormalizeL2 {
      try store([try export(norm, node)], of: node)
    } else if let transform = node.op as? DFT, opset >= 20, node.inputs.count < 3 {
      try export(transform, node)
    } else if let holder = node.op as? any GraphOperator {
      try export(holder, node)
    } else {
      try exportOneToOne(node)
    }
  }

  private mutating func exportOneToOne(_ node: Node) throws(ModelError) {
    let form = try ForeignForm(
      node.op, operands: node.inputs.map { $0.map { fact($0) } },
      outputCount: node.outputs.count, opset: opset, named: node.name)
    let inputs = node.inputs.map { $0.map { realName($0) } ?? "" }
    let outputs = node.outputs.map { realResultName($0) }
    emit(form.kind, inputs, outputs, name: node.name, attributes: form.attributes)
    for (id, output) in zip(node.outputs, outputs) where graph.type(id).quantization != nil {
      try quantize(output, to: id)
    }
  }

  private mutating func export(_ holder: any GraphOperator, _ node: Node) throws(ModelError) {
    let names = node.inputs.map { $0.map { realName($0) } ?? "" }
    let captures = Array(names.suffix(holder.captureCount))
    var attributes = ForeignForm.attributes(of: holder, all: true).map {
      OnnxAttribute(name: $0.name, content: .value($0.value))
    }
    for (field, inner) in holder.graphs {
      var exporter = try GraphExporter(inner, opset: opset)
      let name = AttributeNames.name(of: field, of: type(of: holder).name) ?? field
      let graph = try during("exporting graph '\(name)'") { () throws(ModelError) in
        try exporter.export(captures: captures, within: &self)
      }
      attributes.append(OnnxAttribute(name: name, content: .graph(graph)))
    }
    emit(
      type(of: holder).name, names.dropLast(captures.count),
      node.outputs.map { storedName($0) }, name: node.name, attributes: attributes)
  }

  /// Where a node writes the real numbers of an output.
  private mutating func realResultName(_ id: ValueID) -> String {
    let name = storedName(id)
    return graph.type(id).quantization == nil ? name : fresh("\(name).real")
  }

  /// Makes the named real numbers the outputs of `node`.
  private mutating func store(_ names: [String], of node: Node) throws(ModelError) {
    for (id, name) in zip(node.outputs, names) {
      if graph.type(id).quantization != nil {
        try quantize(name, to: id)
      } else if !rename(name, to: id) {
        emit("Identity", [name], [storedName(id)], name: storedName(id))
      }
    }
  }

  /// Lets the last node write straight to the value's own name.
  private mutating func rename(_ name: String, to id: ValueID) -> Bool {
    let own = storedName(id)
    guard let last = made.nodes.indices.last, made.nodes[last].outputs == [name] else {
      return false
    }
    made.nodes[last].outputs = [own]
    usedByNodes.remove(made.nodes[last].name)
    made.nodes[last].name = GraphExporter.unique(own, among: &usedByNodes)
    return true
  }

  // MARK: - Quantization

  private mutating func quantize(_ name: String, to id: ValueID) throws(ModelError) {
    guard let parameters = graph.type(id).quantization, parameters.axis == nil else {
      throw ModelError(
        .unsupportedFeature,
        "'\(graph[id].name)' has one scale for each channel; an activation "
          + "has one")
    }
    let output = storedName(id)
    let scale = constant(Tensor(scalar: parameters.scale), named: "\(output).scale")
    let zero = constant(
      Tensor(scalar: Int8(truncatingIfNeeded: parameters.zeroPoint)), named: "\(output).zero")
    emit("QuantizeLinear", [name, scale, zero], [output], name: output)
  }

  private mutating func dequantize(_ id: ValueID, as output: String) {
    guard let parameters = graph.type(id).quantization else { return }
    let name = storedName(id)
    guard let axis = parameters.axis else {
      var inputs = [
        name, constant(Tensor(scalar: parameters.scale), named: "\(output).scale"),
      ]
      if graph.type(id).element == .int8 {
        inputs.append(
          constant(
            Tensor(scalar: Int8(truncatingIfNeeded: parameters.zeroPoint)),
            named: "\(output).zero"))
      }
      emit("DequantizeLinear", inputs, [output], name: output)
      return
    }
    let scale = constant(Tensor(vector: parameters.scales), named: "\(output).scale")
    emit(
      "DequantizeLinear", [name, scale], [output], name: output,
      attributes: [OnnxAttribute(name: "axis", content: .value(.integer(axis)))])
  }
}
