import OnnxFormat

/// Builds the bytes of ONNX models by hand, right or wrong.
struct ModelBuilder {
  var opsets: [(domain: String, version: Int)] = [("", 17)]
  var producer = "builder"
  var nodes: [[UInt8]] = []
  var initializers: [[UInt8]] = []
  var inputs: [[UInt8]] = []
  var outputs: [[UInt8]] = []
  var functions: [[UInt8]] = []
  var sparse: [[UInt8]] = []
  /// Stands for everything, where it is not empty.
  var header: [UInt8] = []

  var bytes: [UInt8] {
    guard header.isEmpty else { return header }
    var model = ProtobufWriter()
    model.integer(1, 8)
    model.string(2, producer)
    model.message(7) { graph in
      for node in nodes { graph.counted(1, node) }
      graph.string(2, "graph")
      for initializer in initializers { graph.counted(5, initializer) }
      for input in inputs { graph.counted(11, input) }
      for output in outputs { graph.counted(12, output) }
      for tensor in sparse { graph.counted(15, tensor) }
    }
    for (domain, version) in opsets { model.counted(8, ModelBuilder.opset(domain, version)) }
    for function in functions { model.counted(25, function) }
    return model.bytes
  }

  static func message(_ fill: (inout ProtobufWriter) -> Void) -> [UInt8] {
    var writer = ProtobufWriter()
    fill(&writer)
    return writer.bytes
  }

  static func opset(_ domain: String, _ version: Int) -> [UInt8] {
    message { entry in
      entry.string(1, domain)
      entry.integer(2, version)
    }
  }

  enum Extent {
    case fixed(Int)
    case symbol(String)
    case open
  }

  /// A `ValueInfoProto` of a tensor; nil extents leave the rank open.
  static func port(_ name: String, element: Int = 1, _ extents: [Extent]? = []) -> [UInt8] {
    message { port in
      port.string(1, name)
      port.message(2) { type in
        type.message(1) { tensor in
          tensor.integer(1, element)
          guard let extents else { return }
          tensor.message(2) { shape in
            for extent in extents {
              shape.message(1) { dimension in
                switch extent {
                case .fixed(let value): dimension.integer(1, value)
                case .symbol(let name): dimension.string(2, name)
                case .open: break
                }
              }
            }
          }
        }
      }
    }
  }

  static func node(
    _ kind: String, _ inputs: [String], _ outputs: [String], name: String = "",
    domain: String = "", attributes: [[UInt8]] = [], metadata: [(String, String)] = []
  ) -> [UInt8] {
    message { node in
      for input in inputs { node.string(1, input) }
      for output in outputs { node.string(2, output) }
      if !name.isEmpty { node.string(3, name) }
      node.string(4, kind)
      for attribute in attributes { node.counted(5, attribute) }
      if !domain.isEmpty { node.string(7, domain) }
      for (key, value) in metadata {
        node.message(9) { entry in
          entry.string(1, key)
          entry.string(2, value)
        }
      }
    }
  }

  static func function(
    _ name: String, domain: String, _ inputs: [String], _ outputs: [String],
    opset: Int = 17, attributes: [String] = [], defaults: [[UInt8]] = [], nodes: () -> [[UInt8]]
  ) -> [UInt8] {
    message { function in
      function.string(1, name)
      for input in inputs { function.string(4, input) }
      for output in outputs { function.string(5, output) }
      for attribute in attributes { function.string(6, attribute) }
      for node in nodes() { function.counted(7, node) }
      function.counted(9, ModelBuilder.opset("", opset))
      function.string(10, domain)
      for attribute in defaults { function.counted(11, attribute) }
    }
  }

  static func attribute(_ name: String, integer: Int) -> [UInt8] {
    message { attribute in
      attribute.string(1, name)
      attribute.integer(3, integer)
      attribute.integer(20, 2)
    }
  }

  static func attribute(_ name: String, tensor: [UInt8]) -> [UInt8] {
    message { attribute in
      attribute.string(1, name)
      attribute.counted(5, tensor)
      attribute.integer(20, 4)
    }
  }

  static func attribute(_ name: String, reference: String, type: Int) -> [UInt8] {
    message { attribute in
      attribute.string(1, name)
      attribute.integer(20, type)
      attribute.string(21, reference)
    }
  }

  /// A `TensorProto` of raw data.
  static func tensor(
    _ name: String, element: Int = 1, dims: [Int], raw: [UInt8]
  ) -> [UInt8] {
    message { tensor in
      for extent in dims { tensor.integer(1, extent) }
      tensor.integer(2, element)
      tensor.string(8, name)
      tensor.counted(9, raw)
    }
  }

  static func tensor(_ name: String, dims: [Int], floats: [Float]) -> [UInt8] {
    message { tensor in
      for extent in dims { tensor.integer(1, extent) }
      tensor.integer(2, 1)
      tensor.packed(4, floats: floats)
      tensor.string(8, name)
    }
  }

  /// A `TensorProto` whose bytes are elsewhere.
  static func tensor(
    _ name: String, dims: [Int], external: [(String, String)]
  ) -> [UInt8] {
    message { tensor in
      for extent in dims { tensor.integer(1, extent) }
      tensor.integer(2, 1)
      tensor.string(8, name)
      for (key, value) in external {
        tensor.message(13) { entry in
          entry.string(1, key)
          entry.string(2, value)
        }
      }
      tensor.integer(14, 1)
    }
  }
}

extension Array where Element == Float {
  var rawBytes: [UInt8] { withUnsafeBytes { [UInt8]($0) } }
}
