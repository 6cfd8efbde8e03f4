import ModelIR
import ModelOperators
import TensorCore

/// Builds a graph from an ``OnnxModel``: nodes in topological order, functions inlined, each node by
/// the importer of its operator.
final class GraphImporter {
  struct FunctionKey: Hashable {
    let domain: String
    let name: String
    let overload: String
  }

  private let limits: ImportLimits
  private let index: ImporterIndex
  private var functions: [FunctionKey: OnnxFunction] = [:]
  private var nodeCount = 0

  static func graph(
    of model: OnnxModel, limits: ImportLimits, index: ImporterIndex
  ) throws(ModelError) -> Graph {
    try GraphImporter(limits: limits, index: index).build(model)
  }

  private init(limits: ImportLimits, index: ImporterIndex) {
    self.limits = limits
    self.index = index
  }

  private func build(_ model: OnnxModel) throws(ModelError) -> Graph {
    for function in model.functions {
      let key = FunctionKey(
        domain: function.domain, name: function.name, overload: function.overload)
      guard functions.updateValue(function, forKey: key) == nil else {
        throw ModelError(.invalidGraph, "function '\(function.name)' is defined twice")
      }
    }
    let level = ImportLevel()
    level.graph.metadata = GraphImporter.metadata(model)
    var scope = ImportScope()
    scope.opsets = try GraphImporter.opsets(model.opsets)
    try checkOperators(of: model.graph, in: scope)
    try addInitializers(model.graph, to: &scope, at: level)
    for port in model.graph.inputs where !scope.parameters.contains(port.name) {
      if let unsupported = port.unsupported {
        throw ModelError(
          .unsupportedFeature,
          "graph input '\(port.name)' is \(unsupported); export the model with tensors only")
      }
      try GraphImporter.checkPort(port.type, "graph input '\(port.name)'")
      guard !port.name.isEmpty, let type = port.type else {
        throw ModelError(.malformedInput, "graph input '\(port.name)' has no tensor type")
      }
      scope.values[port.name] = try level.graph.addInput(port.name, type)
    }
    try append(model.graph.nodes, in: &scope, at: level)
    guard !model.graph.outputs.isEmpty else {
      throw ModelError(.invalidGraph, "the graph has no outputs; it computes nothing")
    }
    for port in model.graph.outputs {
      guard let value = scope.values[port.name] else {
        throw ModelError(.invalidGraph, "graph output '\(port.name)' is made by no node")
      }
      try GraphImporter.checkPort(level.graph.type(value), "graph output '\(port.name)'")
      try level.graph.addOutput(port.name, value)
    }
    return level.graph
  }

  /// Sequences live within graphs; what a model takes and gives are tensors.
  private static func checkPort(_ type: TensorType?, _ what: String) throws(ModelError) {
    guard type?.isSequence == true else { return }
    throw ModelError(
      .unsupportedFeature, "\(what) is a sequence; export the model with tensors only")
  }

  /// - Throws: `unsupported-feature` for a version of the default domain that is not read.
  static func opsets(_ imports: [OnnxOpset]) throws(ModelError) -> [String: Int] {
    var opsets: [String: Int] = [:]
    for opset in imports {
      guard opset.domain != "" || (oldestOpset...newestOpset).contains(opset.version) else {
        throw ModelError(
          .unsupportedFeature,
          "the model uses ONNX opset \(opset.version); opsets \(oldestOpset) to \(newestOpset) are "
            + "read: export it with one of these or convert it with onnx.version_converter")
      }
      opsets[opset.domain] = opset.version
    }
    return opsets
  }

  /// Facts about the file that say nothing of the machine it was made on.
  private static func metadata(_ model: OnnxModel) -> [String: String] {
    var metadata = ["onnx.ir": String(model.irVersion)]
    for (key, text) in [
      ("producer", model.producer), ("producer.version", model.producerVersion),
    ] where !text.isEmpty && text.utf8.count <= 64 && !text.contains(where: { "/\\".contains($0) })
    {
      metadata[key] = text
    }
    for opset in model.opsets {
      metadata[opset.domain.isEmpty ? "onnx.opset" : "onnx.opset.\(opset.domain)"] =
        String(opset.version)
    }
    return metadata
  }

  private func addInitializers(
    _ source: OnnxGraph, to scope: inout ImportScope, at level: ImportLevel
  ) throws(ModelError) {
    var own: Set<String> = []
    for (name, tensor) in source.initializers {
      guard !name.isEmpty, own.insert(name).inserted else {
        throw ModelError(
          .invalidGraph,
          name.isEmpty ? "an initializer without a name" : "two initializers are named '\(name)'")
      }
      scope.values[name] = level.graph.addConstant(tensor, named: name)
    }
    scope.parameters.formUnion(own)
  }

  /// The closed form of a graph within a node of `outer`.
  ///
  /// - Parameters:
  ///   - formals: types of its inputs; captures become more of them.
  ///   - isOpen: leave the extents of captures open.
  private func inner(
    _ source: OnnxGraph, formals: [TensorType], within outer: ImportScope, at around: ImportLevel,
    isOpen: Bool
  ) throws(ModelError) -> ImportedGraph {
    let level = ImportLevel(within: around, scope: outer, isOpen: isOpen)
    var scope = ImportScope()
    scope.opsets = outer.opsets
    scope.prefix = outer.prefix
    scope.attributes = outer.attributes
    scope.depth = outer.depth
    scope.parameters = outer.parameters
    scope.seesAround = true
    try addInitializers(source, to: &scope, at: level)
    for (port, type) in zip(source.formals, formals) {
      scope.values[port.name] = try level.graph.addInput(port.name, type)
    }
    try append(source.nodes, in: &scope, at: level)
    var names: Set<String> = []
    for port in source.outputs {
      guard case .value(let value) = try level.resolve(port.name, in: scope) else {
        throw ModelError(.invalidGraph, "graph output '\(port.name)' is made by no node")
      }
      var name = port.name
      while !names.insert(name).inserted { name += ".again" }
      try level.graph.addOutput(name, value)
    }
    return ImportedGraph(level.graph, captures: level.captures)
  }

  // MARK: - Nodes

  /// - Throws: `unsupported-operator`, naming every unknown operator of the graph at once.
  private func checkOperators(of source: OnnxGraph, in scope: ImportScope) throws(ModelError) {
    var unknown: [OnnxNode] = []
    for node in source.withInner.flatMap(\.nodes) where !isKnown(node) {
      if !unknown.contains(where: { $0.kind == node.kind && $0.domain == node.domain }) {
        unknown.append(node)
      }
    }
    guard let first = unknown.first else { return }
    let version = try version(of: first.domain, for: first.name, in: scope)
    do {
      _ = try index.importer(
        first.kind, domain: first.domain, version: version, node: first.name)
    } catch {
      guard unknown.count > 1 else { throw error }
      let others = unknown.dropFirst().map {
        $0.domain.isEmpty ? $0.kind : "\($0.domain).\($0.kind)"
      }
      throw ModelError(error.code, "\(error.message); nor are \(others.joined(separator: ", "))")
    }
  }

  private func isKnown(_ node: OnnxNode) -> Bool {
    let key = FunctionKey(domain: node.domain, name: node.kind, overload: node.overload)
    return functions[key] != nil || index.knows(node.kind, domain: node.domain)
      || node.domain.isEmpty && node.kind == "Constant"
  }

  private func append(
    _ nodes: [OnnxNode], in scope: inout ImportScope, at level: ImportLevel
  ) throws(ModelError) {
    for node in try NodeOrder.sorted(nodes) {
      nodeCount += 1
      guard nodeCount <= limits.nodes else {
        throw ModelError(
          .limitExceeded, "more than \(limits.nodes) nodes once functions are inlined")
      }
      try append(node, in: &scope, at: level)
    }
  }

  private func append(
    _ node: OnnxNode, in scope: inout ImportScope, at level: ImportLevel
  ) throws(ModelError) {
    let name = node.name.isEmpty ? node.outputs.first { !$0.isEmpty } ?? node.kind : node.name
    for output in node.outputs where scope.values[output] != nil {
      throw ModelError(
        .invalidGraph, "node '\(name)' makes '\(output)', which is the name of another value")
    }
    var operands: [ValueID?] = []
    for input in node.inputs {
      switch try level.resolve(input, in: scope) {
      case .absent: operands.append(nil)
      case .value(let value): operands.append(value)
      case .unknown:
        throw ModelError(
          .invalidGraph, "node '\(name)' (\(node.kind)) reads '\(input)', which nothing makes")
      }
    }
    while operands.last == .some(nil) { operands.removeLast() }

    let made: [ValueID]
    let key = FunctionKey(domain: node.domain, name: node.kind, overload: node.overload)
    if let function = functions[key] {
      made = try during("inlining '\(name)' (\(node.kind))") { () throws(ModelError) in
        try inline(function, node, named: name, on: operands, in: scope, at: level)
      }
    } else if node.domain.isEmpty, node.kind == "Constant" {
      made = [try constant(node, named: name, in: scope, at: level)]
    } else if node.domain.isEmpty, node.kind == "Identity", let operand = operands.first ?? nil,
      level.graph.constant(operand) != nil
    {
      made = [operand]
    } else {
      made = try foreign(node, named: name, on: operands, in: scope, at: level)
    }
    for (index, output) in node.outputs.enumerated() where !output.isEmpty {
      guard index < made.count else {
        throw ModelError(
          .unsupportedFeature,
          "output \(index) ('\(output)') of node '\(name)' (\(node.kind)) is not supported")
      }
      scope.values[output] = made[index]
    }
  }

  private func foreign(
    _ node: OnnxNode, named name: String, on operands: [ValueID?], in scope: ImportScope,
    at level: ImportLevel
  ) throws(ModelError) -> [ValueID] {
    let version = try version(of: node.domain, for: name, in: scope)
    let importer = try index.importer(
      node.kind, domain: node.domain, version: version, node: name)
    let parameters = scope.parameters
    let foreign = ForeignNode(
      name: scope.prefix + name, kind: node.kind, domain: node.domain, version: version,
      operands: operands,
      outputNames: node.outputs.map { outerName($0, in: scope) },
      origin: ModulePath.origin(of: node, isInitializer: parameters.contains),
      attributes: try attributes(of: node, named: name, in: scope),
      graphs: graphs(of: node, in: scope, at: level))
    return try during("importing node '\(scope.prefix + name)' (\(node.kind))") {
      () throws(ModelError) in
      // While an importer works, the graph is its own; for the graphs within the node it is put back.
      var graph = Graph()
      swap(&graph, &level.graph)
      defer { swap(&graph, &level.graph) }
      let made = try importer.append(foreign, &graph)
      guard foreign.unreadAttributes.isEmpty else {
        let names = foreign.unreadAttributes.joined(separator: ", ")
        throw ModelError(
          .unsupportedAttribute,
          "\(node.kind) of opset \(version) has no attribute \(names); export the model without it")
      }
      return made
    }
  }

  private func graphs(
    of node: OnnxNode, in scope: ImportScope, at level: ImportLevel
  ) -> [String: ForeignGraph] {
    var graphs: [String: ForeignGraph] = [:]
    for (name, source) in node.graphs {
      graphs[name] = ForeignGraph(inputs: source.formals.map(\.type)) {
        (formals, graph, isOpen) throws(ModelError) in
        swap(&graph, &level.graph)
        defer { swap(&graph, &level.graph) }
        return try self.inner(
          source, formals: formals, within: scope, at: level, isOpen: isOpen)
      }
    }
    return graphs
  }

  private func version(
    of domain: String, for node: String, in scope: ImportScope
  ) throws(ModelError) -> Int {
    guard let version = scope.opsets[domain] else {
      throw ModelError(
        .invalidGraph,
        "node '\(node)' is of \(domain.isEmpty ? "ONNX's own domain" : "domain '\(domain)'"), for "
          + "which the model declares no opset")
    }
    return version
  }

  private func outerName(_ name: String, in scope: ImportScope) -> String {
    name.isEmpty ? "" : scope.outerNames[name] ?? scope.prefix + name
  }

  private func attributes(
    of node: OnnxNode, named name: String, in scope: ImportScope
  ) throws(ModelError) -> [String: Attribute] {
    var attributes: [String: Attribute] = [:]
    for attribute in node.attributes {
      if case .graph = attribute.content { continue }
      switch resolved(attribute.content, in: scope) {
      case nil: break
      case .value(let value): attributes[attribute.name] = value
      case .graph:
        throw ModelError(
          .unsupportedFeature,
          "attribute '\(attribute.name)' of node '\(name)' (\(node.kind)) is a graph that the call of a "
            + "function gives")
      case .unsupported(let what):
        throw ModelError(
          .unsupportedFeature,
          "attribute '\(attribute.name)' of node '\(name)' (\(node.kind)) is \(what), "
            + "which is not supported")
      case .reference(let reference):
        throw ModelError(
          .malformedInput,
          "attribute '\(attribute.name)' of node '\(name)' refers to '\(reference)' outside of a "
            + "function")
      }
    }
    return attributes
  }

  /// The content behind a reference; nil where the call leaves it out and it has no default.
  private func resolved(
    _ content: OnnxAttribute.Content, in scope: ImportScope
  ) -> OnnxAttribute.Content? {
    guard case .reference(let name) = content, scope.depth > 0 else { return content }
    return scope.attributes[name]
  }

  // MARK: - Constants

  private func constant(
    _ node: OnnxNode, named name: String, in scope: ImportScope, at level: ImportLevel
  ) throws(ModelError) -> ValueID {
    let attributes = try attributes(of: node, named: name, in: scope)
    guard attributes.count == 1, let (kind, value) = attributes.first else {
      throw ModelError(
        .malformedInput, "Constant '\(name)' has \(attributes.count) values instead of one")
    }
    let tensor: Tensor
    switch (kind, value) {
    case ("value", .tensor(let value)), ("sparse_value", .tensor(let value)): tensor = value
    case ("value_float", .float(let value)): tensor = Tensor(scalar: value)
    case ("value_floats", .floats(let values)): tensor = Tensor(vector: values)
    case ("value_int", .integer(let value)): tensor = Tensor(scalar: Int64(value))
    case ("value_ints", .integers(let values)): tensor = Tensor(vector: values.map { Int64($0) })
    case ("value_string", _), ("value_strings", _):
      throw ModelError(.unsupportedFeature, "Constant '\(name)' holds strings")
    default:
      throw ModelError(
        .unsupportedAttribute, "Constant '\(name)' has no attribute '\(kind)' of this kind")
    }
    return level.graph.addConstant(
      tensor, named: outerName(node.outputs.first ?? name, in: scope))
  }

  // MARK: - Functions

  /// Appends the function's body and returns the values of its outputs.
  private func inline(
    _ function: OnnxFunction, _ call: OnnxNode, named name: String, on operands: [ValueID?],
    in outer: ImportScope, at level: ImportLevel
  ) throws(ModelError) -> [ValueID] {
    guard outer.depth < limits.functionDepth else {
      throw ModelError(
        .limitExceeded,
        "functions call each other more than \(limits.functionDepth) deep at '\(function.name)'")
    }
    guard operands.count <= function.inputs.count else {
      throw ModelError(
        .invalidGraph,
        "'\(function.name)' takes \(function.inputs.count) operands, \(operands.count) are given")
    }
    var scope = ImportScope()
    scope.depth = outer.depth + 1
    scope.prefix = outer.prefix + name + "/"
    scope.opsets = outer.opsets.merging(try GraphImporter.opsets(function.opsets)) { $1 }
    for attribute in function.defaults { scope.attributes[attribute.name] = attribute.content }
    let known = Set(function.requiredAttributes + function.defaults.map(\.name))
    for attribute in call.attributes {
      guard known.contains(attribute.name) else {
        throw ModelError(
          .unsupportedAttribute, "'\(function.name)' has no attribute '\(attribute.name)'")
      }
      scope.attributes[attribute.name] = resolved(attribute.content, in: outer)
    }
    for (index, input) in function.inputs.enumerated() {
      if let operand = index < operands.count ? operands[index] : nil {
        scope.values[input] = operand
      } else {
        scope.absent.insert(input)
      }
    }
    for (inner, outerOutput) in zip(function.outputs, call.outputs) where !outerOutput.isEmpty {
      scope.outerNames[inner] = outerName(outerOutput, in: outer)
    }
    try append(function.nodes, in: &scope, at: level)
    return try function.outputs.map { (output) throws(ModelError) in
      guard let value = scope.values[output] else {
        throw ModelError(
          .invalidGraph, "output '\(output)' of '\(function.name)' is made by no node")
      }
      return value
    }
  }
}

/// The oldest opset of the default domain that Maquette reads.
package let oldestOpset = 1
