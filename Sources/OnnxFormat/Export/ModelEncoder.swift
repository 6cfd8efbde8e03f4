import ModelIR
import TensorCore

/// The bytes of a model. The same graph gives the same bytes.
struct ModelEncoder {
  let opset: Int

  /// The IR version that came with an opset.
  private var irVersion: Int {
    switch opset {
    case ...14: 7
    case 15...18: 8
    case 19...20: 9
    case 21...22: 10
    case 23: 11
    case 24: 12
    case 25...27: 13
    default: 14
    }
  }

  func bytes(of graph: OnnxGraph) -> [UInt8] {
    var content = ProtobufWriter()
    encode(graph, named: "graph", to: &content)
    var model = ProtobufWriter()
    model.integer(1, irVersion)
    model.string(2, "maquette")
    model.counted(7, content.bytes)
    model.message(8) { entry in
      entry.string(1, "")
      entry.integer(2, opset)
    }
    return model.bytes
  }

  private func encode(_ graph: OnnxGraph, named name: String, to content: inout ProtobufWriter) {
    for node in graph.nodes { content.message(1) { encode(node, to: &$0) } }
    content.string(2, name)
    for (name, tensor) in graph.initializers {
      content.counted(5, TensorFile.bytes(of: tensor, named: name))
    }
    for port in graph.inputs { content.message(11) { encode(port, to: &$0) } }
    for port in graph.outputs { content.message(12) { encode(port, to: &$0) } }
  }

  private func encode(_ node: OnnxNode, to message: inout ProtobufWriter) {
    for input in node.inputs { message.string(1, input) }
    for output in node.outputs { message.string(2, output) }
    if !node.name.isEmpty { message.string(3, node.name) }
    message.string(4, node.kind)
    for attribute in node.attributes {
      switch attribute.content {
      case .value(let value): message.message(5) { encode(attribute.name, value, to: &$0) }
      case .graph(let graph):
        message.message(5) { field in
          field.string(1, attribute.name)
          field.message(6) { encode(graph, named: attribute.name, to: &$0) }
          field.integer(20, 5)
        }
      case .reference, .unsupported: break
      }
    }
  }

  private func encode(
    _ name: String, _ value: Attribute, to message: inout ProtobufWriter
  ) {
    message.string(1, name)
    switch value {
    case .float(let value):
      message.float(2, value)
      message.integer(20, 1)
    case .integer(let value):
      message.integer(3, value)
      message.integer(20, 2)
    case .boolean(let value):
      message.integer(3, value ? 1 : 0)
      message.integer(20, 2)
    case .string(let text):
      message.string(4, text)
      message.integer(20, 3)
    case .tensor(let tensor):
      message.counted(5, TensorFile.bytes(of: tensor, named: ""))
      message.integer(20, 4)
    case .floats(let list):
      for value in list { message.float(7, value) }
      message.integer(20, 6)
    case .integers(let list):
      for value in list { message.integer(8, value) }
      message.integer(20, 7)
    case .strings(let list):
      for text in list { message.string(9, text) }
      message.integer(20, 8)
    case .none, .graph: break
    }
  }

  private func encode(_ port: OnnxPort, to message: inout ProtobufWriter) {
    message.string(1, port.name)
    guard let type = port.type else { return }
    message.message(2) { outer in
      if type.isSequence {
        outer.message(4) { sequence in sequence.message(1) { encode(type.member, to: &$0) } }
      } else {
        encode(type, to: &outer)
      }
    }
  }

  private func encode(_ type: TensorType, to outer: inout ProtobufWriter) {
    outer.message(1) { tensor in
      tensor.integer(1, Int(OnnxElement.number(type.element)))
      guard let dimensions = type.dimensions else { return }
      tensor.message(2) { shape in
        for dimension in dimensions {
          shape.message(1) { extent in
            switch dimension {
            case .fixed(let value): extent.integer(1, value)
            case .symbol(let name): extent.string(2, name)
            case .unknown: break
            }
          }
        }
      }
    }
  }
}
