import COnnx
import CProtobufC
import ModelIR
import TensorCore

/// Turns unpacked messages into an ``OnnxModel``, checking counts and lengths on the way.
struct OnnxDecoder {
  let limits: ImportLimits
  private var tensors: OnnxTensorDecoder
  /// Raw data of initializers that are not in their messages.
  private let weights: [Int: UnsafeRawBufferPointer]
  private var nodeCount = 0
  /// Graphs around the one that is being read.
  private var graphDepth = 0

  init(
    limits: ImportLimits, external: ExternalData, weights: [Int: UnsafeRawBufferPointer]
  ) {
    self.limits = limits
    self.weights = weights
    tensors = OnnxTensorDecoder(limits: limits, external: external)
  }

  mutating func model(_ message: Onnx__ModelProto) throws(ModelError) -> OnnxModel {
    guard let graph = message.graph else {
      throw ModelError(.malformedInput, "the file holds no graph; it is not an ONNX model")
    }
    var model = OnnxModel()
    model.irVersion = Int(message.ir_version)
    model.producer = try string(message.producer_name, limits)
    model.producerVersion = try string(message.producer_version, limits)
    model.opsets = try opsets(elements(message.opset_import, message.n_opset_import))
    for function in elements(message.functions, message.n_functions) {
      model.functions.append(try self.function(function.pointee))
    }
    model.graph = try self.graph(&graph.pointee)
    return model
  }

  private func opsets(
    _ messages: [UnsafeMutablePointer<Onnx__OperatorSetIdProto>]
  ) throws(ModelError) -> [OnnxOpset] {
    var opsets: [OnnxOpset] = []
    for message in messages {
      let domain = canonicalDomain(try string(message.pointee.domain, limits))
      let opset = OnnxOpset(domain: domain, version: Int(message.pointee.version))
      if let known = opsets.first(where: { $0.domain == domain }) {
        guard known == opset else {
          throw ModelError(
            .malformedInput,
            "domain '\(domain)' is imported as opset \(known.version) and as \(opset.version)")
        }
      } else {
        opsets.append(opset)
      }
    }
    return opsets
  }

  // MARK: - Graphs

  private mutating func graph(_ message: inout Onnx__GraphProto) throws(ModelError) -> OnnxGraph {
    var graph = OnnxGraph()
    try check(
      message.n_initializer + message.n_sparse_initializer, limits.initializers, "initializers")
    for (index, initializer) in elements(message.initializer, message.n_initializer).enumerated() {
      let name = try string(initializer.pointee.name, limits)
      let tensor = try during("reading initializer '\(name)'") { () throws(ModelError) in
        try tensors.tensor(&initializer.pointee, raw: graphDepth == 0 ? weights[index] : nil)
      }
      graph.initializers.append((name, tensor))
    }
    for sparse in elements(message.sparse_initializer, message.n_sparse_initializer) {
      let name = try string(sparse.pointee.values?.pointee.name, limits)
      let tensor = try during("reading sparse initializer '\(name)'") { () throws(ModelError) in
        try tensors.tensor(sparse.pointee)
      }
      graph.initializers.append((name, tensor))
    }
    graph.inputs = try ports(elements(message.input, message.n_input))
    graph.outputs = try ports(elements(message.output, message.n_output))
    graph.nodes = try nodes(elements(message.node, message.n_node))
    return graph
  }

  private func ports(
    _ messages: [UnsafeMutablePointer<Onnx__ValueInfoProto>]
  ) throws(ModelError) -> [OnnxPort] {
    try check(messages.count, limits.ports, "graph inputs or outputs")
    return try messages.map { (message) throws(ModelError) in
      let name = try string(message.pointee.name, limits)
      guard let type = message.pointee.type else {
        return OnnxPort(name: name, type: nil, unsupported: nil)
      }
      let kinds: [UInt32: String] = [
        5: "a map", 7: "opaque", 8: "a sparse tensor", 9: "optional",
      ]
      let kind = type.pointee.value_case.rawValue
      if kind == 4 {
        let type = try sequence(type.pointee.sequence_type)
        return OnnxPort(name: name, type: type, unsupported: type == nil ? "a sequence" : nil)
      }
      guard kind == 1, let tensor = type.pointee.tensor_type else {
        return OnnxPort(name: name, type: nil, unsupported: kinds[UInt32(kind)])
      }
      guard tensor.pointee.has_elem_type != 0 else {
        return OnnxPort(name: name, type: nil, unsupported: nil)
      }
      let parsed = try during("reading the type of '\(name)'") { () throws(ModelError) in
        TensorType(
          try OnnxElement.type(tensor.pointee.elem_type), try dimensions(tensor.pointee.shape))
      }
      return OnnxPort(name: name, type: parsed, unsupported: nil)
    }
  }

  /// A sequence of tensors; nil where the file does not say of what.
  private func sequence(_ data: ProtobufCBinaryData) throws(ModelError) -> TensorType? {
    let bytes = UnsafeRawBufferPointer(start: data.data, count: data.data == nil ? 0 : data.len)
    var fields = WireFields(bytes, in: 0..<bytes.count)
    guard let field = fields.next(), field.number == 1, field.isCounted else { return nil }
    let unpacked = try Unpacked(
      UnsafeRawBufferPointer(rebasing: bytes[field.payload]), as: "a type", limits: limits,
      unpack: onnx__type_proto__unpack, free: onnx__type_proto__free_unpacked)
    let type = unpacked.message.pointee
    guard type.value_case.rawValue == 1, let tensor = type.tensor_type else {
      throw ModelError(.unsupportedFeature, "a sequence of something else than tensors")
    }
    guard tensor.pointee.has_elem_type != 0 else { return nil }
    return .sequence(
      of: TensorType(
        try OnnxElement.type(tensor.pointee.elem_type), try dimensions(tensor.pointee.shape)))
  }

  private func dimensions(
    _ message: UnsafeMutablePointer<Onnx__TensorShapeProto>?
  ) throws(ModelError) -> [Dimension]? {
    guard let message else { return nil }
    let extents = elements(message.pointee.dim, message.pointee.n_dim)
    try check(extents.count, Shape.maximumRank, "dimensions")
    return try extents.map { (extent) throws(ModelError) in
      switch extent.pointee.value_case.rawValue {
      case 1:
        let value = Int(extent.pointee.dim_value)
        guard value >= -1 else { throw ModelError(.malformedInput, "extent \(value)") }
        return value < 0 ? .unknown : .fixed(value)
      case 2:
        let name = try string(extent.pointee.dim_param, limits)
        return OnnxDecoder.isPlaceholder(name) ? .unknown : .symbol(name)
      default: return .unknown
      }
    }
  }

  /// What some exporters write for every extent that they do not know: `?`, `-1` and the like. Two such
  /// extents are not the same extent.
  private static func isPlaceholder(_ name: String) -> Bool {
    name == "None" || !name.contains { $0.isLetter || $0 == "_" }
  }

  // MARK: - Nodes

  private mutating func nodes(
    _ messages: [UnsafeMutablePointer<Onnx__NodeProto>]
  ) throws(ModelError) -> [OnnxNode] {
    nodeCount += messages.count
    try check(nodeCount, limits.nodes, "nodes")
    var nodes: [OnnxNode] = []
    nodes.reserveCapacity(messages.count)
    for message in messages { nodes.append(try node(message.pointee)) }
    return nodes
  }

  private mutating func node(_ message: Onnx__NodeProto) throws(ModelError) -> OnnxNode {
    var node = OnnxNode()
    node.name = try string(message.name, limits)
    node.kind = try string(message.op_type, limits)
    node.domain = canonicalDomain(try string(message.domain, limits))
    node.overload = try string(message.overload, limits)
    node.inputs = try strings(message.input, message.n_input, "operands")
    node.outputs = try strings(message.output, message.n_output, "results")
    let entries = elements(message.metadata_props, message.n_metadata_props)
    for entry in entries {
      guard let key = entry.pointee.key, String(cString: key) == ModulePath.scopesKey else {
        continue
      }
      node.scopes = try string(entry.pointee.value, limits)
    }
    let described = "'\(node.name)' (\(node.kind))"
    node.attributes = try during("reading node \(described)") { () throws(ModelError) in
      try attributes(elements(message.attribute, message.n_attribute))
    }
    return node
  }

  private mutating func attributes(
    _ messages: [UnsafeMutablePointer<Onnx__AttributeProto>]
  ) throws(ModelError) -> [OnnxAttribute] {
    try check(messages.count, limits.nodeParts, "attributes")
    var attributes: [OnnxAttribute] = []
    var names = Set<String>()
    for message in messages {
      let name = try string(message.pointee.name, limits)
      guard names.insert(name).inserted else {
        throw ModelError(.malformedInput, "attribute '\(name)' is given twice")
      }
      let content = try during("reading attribute '\(name)'") { () throws(ModelError) in
        try self.content(&message.pointee)
      }
      attributes.append(OnnxAttribute(name: name, content: content))
    }
    return attributes
  }

  private mutating func content(
    _ message: inout Onnx__AttributeProto
  ) throws(ModelError) -> OnnxAttribute.Content {
    let reference = try string(message.ref_attr_name, limits)
    if !reference.isEmpty { return .reference(reference) }
    switch message.type == 0 ? OnnxDecoder.guessedType(message) : message.type {
    case 1: return .value(.float(message.f))
    case 2: return .value(.integer(Int(message.i)))
    case 3: return .value(.string(try text(message.s)))
    case 4:
      guard let tensor = message.t else { throw ModelError(.malformedInput, "no tensor") }
      guard tensor.pointee.data_type != 8 else { return .unsupported("a tensor of strings") }
      return .value(.tensor(try tensors.tensor(&tensor.pointee)))
    case 5: return .graph(try inner(&message.g))
    case 6:
      return .value(.floats(try list(message.floats, message.n_floats)))
    case 7:
      return .value(.integers(try list(message.ints, message.n_ints).map { Int($0) }))
    case 8:
      let items = try list(message.strings, message.n_strings)
      return .value(.strings(try items.map { (item) throws(ModelError) in try text(item) }))
    case 11:
      guard let sparse = message.sparse_tensor else {
        throw ModelError(.malformedInput, "no sparse tensor")
      }
      return .value(.tensor(try tensors.tensor(sparse.pointee)))
    case 9: return .unsupported("a list of tensors")
    case 10: return .unsupported("a list of sub-graphs")
    case 12: return .unsupported("a list of sparse tensors")
    case 13, 14: return .unsupported("a type")
    default: throw ModelError(.malformedInput, "\(message.type) is not a kind of attribute")
    }
  }

  /// A graph within a node, whose bytes go once they are unpacked.
  private mutating func inner(_ data: inout ProtobufCBinaryData) throws(ModelError) -> OnnxGraph {
    guard graphDepth < limits.graphDepth else {
      throw ModelError(
        .limitExceeded, "graphs within graphs more than \(limits.graphDepth) deep")
    }
    graphDepth += 1
    defer { graphDepth -= 1 }
    let unpacked = try Unpacked(
      UnsafeRawBufferPointer(start: data.data, count: data.data == nil ? 0 : data.len),
      as: "a graph", limits: limits, unpack: onnx__graph_proto__unpack,
      free: onnx__graph_proto__free_unpacked)
    release(&data)
    return try graph(&unpacked.message.pointee)
  }

  /// The kind of an attribute in a file that is older than the field that tells.
  private static func guessedType(_ message: Onnx__AttributeProto) -> Int32 {
    if message.has_f != 0 { return 1 }
    if message.has_i != 0 { return 2 }
    if message.has_s != 0 { return 3 }
    if message.t != nil { return 4 }
    if message.has_g != 0 { return 5 }
    if message.n_floats > 0 { return 6 }
    if message.n_ints > 0 { return 7 }
    if message.n_strings > 0 { return 8 }
    return 0
  }

  private mutating func function(_ message: Onnx__FunctionProto) throws(ModelError) -> OnnxFunction
  {
    var function = OnnxFunction()
    function.name = try string(message.name, limits)
    function.domain = canonicalDomain(try string(message.domain, limits))
    function.overload = try string(message.overload, limits)
    function.inputs = try strings(message.input, message.n_input, "function inputs")
    function.outputs = try strings(message.output, message.n_output, "function outputs")
    function.requiredAttributes = try strings(
      message.attribute, message.n_attribute, "function attributes")
    let label = function.name
    try during("reading function '\(label)'") { () throws(ModelError) in
      function.defaults = try attributes(
        elements(message.attribute_proto, message.n_attribute_proto))
      function.opsets = try opsets(elements(message.opset_import, message.n_opset_import))
      function.nodes = try nodes(elements(message.node, message.n_node))
    }
    return function
  }

  // MARK: - Parts

  private func check(_ count: Int, _ limit: Int, _ what: String) throws(ModelError) {
    guard count <= limit else {
      throw ModelError(.limitExceeded, "\(count) \(what); at most \(limit) are read")
    }
  }

  private func list<Item>(
    _ items: UnsafeMutablePointer<Item>?, _ count: Int
  ) throws(ModelError) -> [Item] {
    try check(count, limits.listLength, "items in one list")
    return Array(UnsafeBufferPointer(start: items, count: items == nil ? 0 : count))
  }

  private func strings(
    _ items: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, _ count: Int, _ what: String
  ) throws(ModelError) -> [String] {
    try check(count, limits.nodeParts, what)
    var strings: [String] = []
    strings.reserveCapacity(count)
    for index in 0..<(items == nil ? 0 : count) {
      strings.append(try string(items?[index], limits))
    }
    return strings
  }

  /// A `bytes` field that holds text.
  private func text(_ data: ProtobufCBinaryData) throws(ModelError) -> String {
    try check(data.len, limits.stringBytes, "bytes in one string")
    let bytes = UnsafeBufferPointer(start: data.data, count: data.data == nil ? 0 : data.len)
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw ModelError(.malformedInput, "a string that is not UTF-8")
    }
    return text
  }
}

/// A `string` field; absent is empty.
///
/// - Throws: `limit-exceeded` where it is too long, `malformed-input` where it is not UTF-8.
func string(
  _ characters: UnsafePointer<CChar>?, _ limits: ImportLimits
) throws(ModelError) -> String {
  guard let characters else { return "" }
  guard let text = String(validatingCString: characters) else {
    throw ModelError(.malformedInput, "a name that is not UTF-8")
  }
  guard text.utf8.count <= limits.stringBytes else {
    throw ModelError(
      .limitExceeded,
      "a name of \(text.utf8.count) bytes; at most \(limits.stringBytes) are read")
  }
  return text
}

func strings(
  _ entries: [UnsafeMutablePointer<Onnx__StringStringEntryProto>], _ limits: ImportLimits
) throws(ModelError) -> [(key: String, value: String)] {
  try entries.map { (entry) throws(ModelError) in
    (try string(entry.pointee.key, limits), try string(entry.pointee.value, limits))
  }
}
