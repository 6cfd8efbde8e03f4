import ModelIR
import TensorCore

/// A node of a foreign file while it is being imported: its attributes, its operands in the graph
/// that is being built, and which attributes were read, so that one nobody read is an error.
package final class ForeignNode {
  package let name: String
  package let kind: String
  package let domain: String
  /// The opset version of `domain` that the file declares.
  package let version: Int
  package let operands: [ValueID?]
  /// Empty for an output that the file leaves out.
  package let outputNames: [String]
  package let origin: String
  private let attributes: [String: Attribute]
  private let graphs: [String: ForeignGraph]
  private var unread: Set<String>

  package init(
    name: String, kind: String, domain: String, version: Int, operands: [ValueID?],
    outputNames: [String], origin: String, attributes: [String: Attribute],
    graphs: [String: ForeignGraph] = [:]
  ) {
    self.name = name
    self.kind = kind
    self.domain = domain
    self.version = version
    self.operands = operands
    self.outputNames = outputNames
    self.origin = origin
    self.attributes = attributes
    self.graphs = graphs
    unread = Set(attributes.keys).union(graphs.keys)
  }

  package var outputCount: Int { outputNames.count }
  /// Attributes that no importer asked for, sorted.
  package var unreadAttributes: [String] { unread.sorted() }

  package func operand(_ index: Int) -> ValueID? {
    index < operands.count ? operands[index] : nil
  }

  /// - Throws: `invalid-value` where the operand is absent.
  package func required(_ index: Int) throws(ModelError) -> ValueID {
    guard let id = operand(index) else {
      throw ModelError(.invalidValue, "operand \(index) is missing")
    }
    return id
  }

  /// The attribute as `Value`, or nil where the file does not set it.
  package func optional<Value: AttributeRepresentable>(
    _ name: String, as _: Value.Type = Value.self
  ) throws(ModelError) -> Value? {
    unread.remove(name)
    guard let attribute = attributes[name] else { return nil }
    return try during("reading attribute '\(name)'") { () throws(ModelError) in
      try Value(attribute)
    }
  }

  package func attribute<Value: AttributeRepresentable>(
    _ name: String, default value: Value
  ) throws(ModelError) -> Value {
    try optional(name) ?? value
  }

  /// - Throws: `invalid-value` where the file does not set it.
  package func required<Value: AttributeRepresentable>(
    attribute name: String
  ) throws(ModelError) -> Value {
    guard let value = try optional(name, as: Value.self) else {
      throw ModelError(.invalidValue, "\(kind) needs attribute '\(name)'")
    }
    return value
  }

  /// - Throws: `invalid-value` where the file does not set it.
  func foreignGraph(_ name: String) throws(ModelError) -> ForeignGraph {
    unread.remove(name)
    guard let graph = graphs[name] else {
      throw ModelError(.invalidValue, "\(kind) needs the graph '\(name)'")
    }
    return graph
  }

  /// An integer attribute that is 0 or 1.
  package func flag(_ name: String, default value: Bool) throws(ModelError) -> Bool {
    try attribute(name, default: value ? 1 : 0) != 0
  }

  /// Says that an attribute exists and has no meaning for inference.
  package func ignore(_ names: String...) {
    for name in names { unread.remove(name) }
  }
}

/// Makes a foreign node part of a graph.
package struct Importer: Sendable {
  package let kind: String
  package let domain: String
  /// Opset versions of ``domain`` whose nodes of this kind it reads.
  package let versions: ClosedRange<Int>
  /// Appends what the node means and returns a value for each of its outputs that the file names;
  /// trailing ones may be missing.
  package let append: @Sendable (ForeignNode, inout Graph) throws(ModelError) -> [ValueID]

  package init(
    _ kind: String, domain: String = "", _ versions: ClosedRange<Int>,
    append: @escaping @Sendable (ForeignNode, inout Graph) throws(ModelError) -> [ValueID]
  ) {
    self.kind = kind
    self.domain = domain
    self.versions = versions
    self.append = append
  }

  /// A node that is one operator on the same operands.
  package init(
    _ kind: String, domain: String = "", _ versions: ClosedRange<Int>,
    make: @escaping @Sendable (ForeignNode) throws(ModelError) -> any Operator
  ) {
    self.init(kind, domain: domain, versions) { (node, graph) throws(ModelError) in
      try node.append(make(node), to: &graph)
    }
  }
}

extension ForeignNode {
  /// Appends `op` under this node's names.
  package func append(
    _ op: any Operator, on operands: [ValueID?]? = nil, to graph: inout Graph
  ) throws(ModelError) -> [ValueID] {
    try graph.append(
      op, named: name, to: operands ?? self.operands, origin: origin, outputNames: outputNames)
  }

  /// A constant that stands for an attribute which later opsets made an operand.
  package func constant(
    _ tensor: Tensor, _ suffix: String, in graph: inout Graph
  ) -> ValueID {
    graph.addConstant(tensor, named: "\(name).\(suffix)")
  }
}

/// The newest opset of the default domain that Maquette reads.
package let newestOpset = 28

/// An operator, and what of foreign files becomes it: nothing where passes alone make it.
package protocol ImportableOperator: Operator {
  static var importers: [Importer] { get }
}

extension ImportableOperator {
  package static var importers: [Importer] { [] }
}
