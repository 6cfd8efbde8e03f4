import ModelIR
import TensorCore

/// An ONNX model as plain values: what the file says, before any operator is looked at.
struct OnnxModel {
  var irVersion = 0
  var producer = ""
  var producerVersion = ""
  var opsets: [OnnxOpset] = []
  var graph = OnnxGraph()
  var functions: [OnnxFunction] = []
}

struct OnnxOpset: Equatable {
  /// Empty for ONNX's own operators, which some files call `ai.onnx`.
  let domain: String
  let version: Int
}

struct OnnxGraph {
  var nodes: [OnnxNode] = []
  var initializers: [(name: String, tensor: Tensor)] = []
  var inputs: [OnnxPort] = []
  var outputs: [OnnxPort] = []
}

extension OnnxGraph {
  /// Names that the graph reads and does not define.
  var captures: Set<String> {
    var defined = Set(inputs.map(\.name)).union(initializers.map(\.name))
    for node in nodes { defined.formUnion(node.outputs) }
    var read = Set(outputs.map(\.name))
    for node in nodes { read.formUnion(node.reads) }
    return read.subtracting(defined)
  }
}

/// A named input or output of a graph.
struct OnnxPort {
  let name: String
  /// Nil where the file does not say; a reason where it says something that is not a tensor.
  let type: TensorType?
  let unsupported: String?
}

struct OnnxNode {
  var name = ""
  var kind = ""
  var domain = ""
  var overload = ""
  /// Empty names are absent operands.
  var inputs: [String] = []
  var outputs: [String] = []
  var attributes: [OnnxAttribute] = []
  /// What exporters say about the node, as far as ``ModulePath`` reads it.
  var scopes: String?

  /// The graphs among its attributes.
  var graphs: [(name: String, graph: OnnxGraph)] {
    attributes.compactMap { attribute in
      if case .graph(let graph) = attribute.content { (attribute.name, graph) } else { nil }
    }
  }

  /// Names that the node reads: its operands, and what its graphs capture.
  var reads: Set<String> {
    graphs.reduce(into: Set(inputs)) { $0.formUnion($1.graph.captures) }
  }
}

struct OnnxAttribute {
  enum Content {
    case value(Attribute)
    /// A graph that may read the names around its node.
    case graph(OnnxGraph)
    /// Inside a function: the attribute of the call.
    case reference(String)
    /// What it is, where Maquette does not read it.
    case unsupported(String)
  }
  let name: String
  let content: Content
}

struct OnnxFunction {
  var name = ""
  var domain = ""
  var overload = ""
  var inputs: [String] = []
  var outputs: [String] = []
  var requiredAttributes: [String] = []
  var defaults: [OnnxAttribute] = []
  var nodes: [OnnxNode] = []
  var opsets: [OnnxOpset] = []
}

/// `ai.onnx` is the long name of the default domain.
func canonicalDomain(_ domain: String) -> String { domain == "ai.onnx" ? "" : domain }
