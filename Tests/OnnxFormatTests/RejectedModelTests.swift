import ModelIR
import OnnxFormat
import TensorCore
import Testing

/// A model that must not load, and the code that says why.
struct RejectedModel: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let code: ModelError.Code
  /// A part of the message.
  let says: String
  let change: @Sendable (inout ModelBuilder) -> Void

  init(
    _ what: String, _ code: ModelError.Code, says: String = "",
    change: @escaping @Sendable (inout ModelBuilder) -> Void
  ) {
    testDescription = what
    self.code = code
    self.says = says
    self.change = change
  }
}

@Suite struct RejectedModelTests {
  @Test(arguments: graphs + operators + tensors)
  func aModelThatMustNotLoadSaysWhy(rejected: RejectedModel) throws {
    var model = OnnxReaderTests.small
    rejected.change(&model)
    let error = #expect(throws: ModelError.self) { try OnnxReader().graph(bytes: model.bytes) }
    #expect(error?.code == rejected.code, "\(error?.description ?? "")")
    #expect(error?.description.contains(rejected.says) == true, "\(error?.description ?? "")")
  }

  static let graphs: [RejectedModel] = [
    RejectedModel("an old opset", .unsupportedFeature, says: "opset 0") { model in
      model.opsets = [("", 0)]
    },
    RejectedModel("an operator of an old opset", .unsupportedOperator, says: "opsets 6 to") {
      model in
      model.opsets = [("", 5)]
    },
    RejectedModel("an opset of the future", .unsupportedFeature, says: "opset 29") { model in
      model.opsets = [("ai.onnx", 29)]
    },
    RejectedModel("two opsets of one domain", .malformedInput) { model in
      model.opsets = [("", 17), ("ai.onnx", 18)]
    },
    RejectedModel("no opset", .invalidGraph, says: "declares no opset") { model in
      model.opsets = []
    },
    RejectedModel("a cycle", .invalidGraph, says: "cycle") { model in
      model.nodes = [
        ModelBuilder.node("Add", ["x", "y"], ["sum"], name: "first"),
        ModelBuilder.node("Relu", ["sum"], ["y"], name: "second"),
      ]
    },
    RejectedModel("a node that reads itself", .invalidGraph, says: "cycle") { model in
      model.nodes = [ModelBuilder.node("Add", ["x", "y"], ["y"], name: "self")]
    },
    RejectedModel("a value that nothing makes", .invalidGraph, says: "'nowhere'") { model in
      model.nodes[0] = ModelBuilder.node("Add", ["x", "nowhere"], ["sum"])
    },
    RejectedModel("a value made twice", .invalidGraph, says: "made twice") { model in
      model.nodes.append(ModelBuilder.node("Relu", ["x"], ["sum"]))
    },
    RejectedModel("a value named as an input", .invalidGraph, says: "another value") { model in
      model.inputs.append(ModelBuilder.port("spare"))
      model.nodes.append(ModelBuilder.node("Relu", ["sum"], ["spare"]))
    },
    RejectedModel("no outputs", .invalidGraph, says: "no outputs") { model in
      model.outputs = []
    },
    RejectedModel("two initializers of one name", .invalidGraph, says: "'w'") { model in
      model.initializers.append(ModelBuilder.tensor("w", dims: [1], floats: [0]))
    },
    RejectedModel("two inputs of one name", .invalidGraph, says: "'x'") { model in
      model.inputs.append(ModelBuilder.port("x"))
    },
    RejectedModel("an output that nothing makes", .invalidGraph, says: "'z'") { model in
      model.outputs.append(ModelBuilder.port("z"))
    },
    RejectedModel("an input without a type", .malformedInput) { model in
      model.inputs.append(ModelBuilder.message { $0.string(1, "untyped") })
    },
    RejectedModel("an input that is a sequence", .unsupportedFeature, says: "sequence") { model in
      model.inputs.append(
        ModelBuilder.message { port in
          port.string(1, "list")
          port.message(2) { type in type.message(4) { _ in } }
        })
    },
    RejectedModel("a negative extent", .malformedInput) { model in
      model.inputs[0] = ModelBuilder.port("x", [.fixed(-7)])
    },
    RejectedModel("too many axes", .limitExceeded) { model in
      model.inputs[0] = ModelBuilder.port(
        "x", [ModelBuilder.Extent](repeating: .fixed(1), count: 17))
    },
    RejectedModel("no graph", .malformedInput, says: "no graph") { model in
      model.header = ModelBuilder.message { $0.integer(1, 8) }
    },
    RejectedModel("bytes that are not protobuf", .malformedInput, says: "not an ONNX model") {
      model in
      model.header = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]
    },
    RejectedModel("a truncated file", .malformedInput) { model in
      model.header = Array(OnnxReaderTests.small.bytes.dropLast(9))
    },
  ]

  static let operators: [RejectedModel] = [
    RejectedModel("an unknown operator", .unsupportedOperator, says: "Frobnicate") { model in
      model.nodes[1] = ModelBuilder.node("Frobnicate", ["sum"], ["y"], name: "odd")
    },
    RejectedModel("several unknown operators", .unsupportedOperator, says: "Zap") { model in
      model.nodes[1] = ModelBuilder.node("Frobnicate", ["sum"], ["middle"])
      model.nodes.append(ModelBuilder.node("Zap", ["middle"], ["y"]))
    },
    RejectedModel("an unknown domain", .unsupportedOperator, says: "com.example") { model in
      model.opsets.append(("com.example", 1))
      model.nodes[1] = ModelBuilder.node("Relu", ["sum"], ["y"], domain: "com.example")
    },
    RejectedModel("an unknown attribute", .unsupportedAttribute, says: "speed") { model in
      model.nodes[1] = ModelBuilder.node(
        "Relu", ["sum"], ["y"], attributes: [ModelBuilder.attribute("speed", integer: 3)])
    },
    RejectedModel("an attribute twice", .malformedInput, says: "twice") { model in
      let axis = ModelBuilder.attribute("axis", integer: 0)
      model.nodes[1] = ModelBuilder.node("Softmax", ["sum"], ["y"], attributes: [axis, axis])
    },
    RejectedModel("a graph that is none", .malformedInput, says: "a graph") { model in
      let body = ModelBuilder.message { attribute in
        attribute.string(1, "axis")
        attribute.counted(6, [1, 2, 3])
        attribute.integer(20, 5)
      }
      model.nodes[1] = ModelBuilder.node("Softmax", ["sum"], ["y"], attributes: [body])
    },
    RejectedModel("a reference outside of a function", .malformedInput, says: "function") { model in
      model.nodes[1] = ModelBuilder.node(
        "Softmax", ["sum"], ["y"],
        attributes: [ModelBuilder.attribute("axis", reference: "a", type: 2)])
    },
    RejectedModel("a constant without a value", .malformedInput) { model in
      model.nodes.append(ModelBuilder.node("Constant", [], ["c"]))
    },
    RejectedModel("operands of different types", .typeMismatch, says: "Add") { model in
      model.inputs[0] = ModelBuilder.port("x", element: 11, [.fixed(2)])
    },
    RejectedModel("operands that do not broadcast", .shapeMismatch) { model in
      model.inputs[0] = ModelBuilder.port("x", [.fixed(3)])
    },
    RejectedModel("more outputs than there are", .unsupportedFeature, says: "output 1") { model in
      model.nodes[1] = ModelBuilder.node("Relu", ["sum"], ["y", "more"])
    },
  ]

  static let tensors: [RejectedModel] = [
    RejectedModel("too little raw data", .malformedInput, says: "needs 8") { model in
      model.initializers = [ModelBuilder.tensor("w", dims: [2], raw: [1, 2, 3])]
    },
    RejectedModel("too few floats", .malformedInput, says: "needs 2") { model in
      model.initializers = [ModelBuilder.tensor("w", dims: [2], floats: [1])]
    },
    RejectedModel("extents whose product overflows", .limitExceeded) { model in
      model.initializers = [ModelBuilder.tensor("w", dims: [1 << 40, 1 << 40], raw: [])]
    },
    RejectedModel("more bytes than all tensors may have", .limitExceeded) { model in
      model.initializers = [ModelBuilder.tensor("w", dims: [1 << 40], raw: [])]
    },
    RejectedModel("a negative tensor extent", .invalidValue) { model in
      model.initializers = [ModelBuilder.tensor("w", dims: [-2], raw: [])]
    },
    RejectedModel("strings", .unsupportedFeature, says: "string") { model in
      model.initializers = [ModelBuilder.tensor("w", element: 8, dims: [0], raw: [])]
    },
    RejectedModel("eight-bit floats", .unsupportedFeature, says: "float8e4m3fn") { model in
      model.initializers = [ModelBuilder.tensor("w", element: 17, dims: [1], raw: [0])]
    },
    RejectedModel("an element type that is none", .malformedInput) { model in
      model.initializers = [ModelBuilder.tensor("w", element: 99, dims: [1], raw: [0])]
    },
    RejectedModel("booleans that are neither", .malformedInput, says: "boolean") { model in
      model.initializers = [ModelBuilder.tensor("w", element: 9, dims: [1], raw: [2])]
    },
    RejectedModel("external data without a folder", .unsupportedFeature, says: "w.bin") { model in
      model.initializers = [
        ModelBuilder.tensor("w", dims: [2], external: [("location", "w.bin")])
      ]
    },
    RejectedModel("a sparse tensor that is huge when dense", .limitExceeded) { model in
      model.sparse = [
        ModelBuilder.message { sparse in
          sparse.counted(1, ModelBuilder.tensor("s", dims: [0], floats: []))
          sparse.integer(3, 1 << 33)
        }
      ]
    },
    RejectedModel("a name that is not UTF-8", .malformedInput, says: "UTF-8") { model in
      model.initializers = [ModelBuilder.message { $0.counted(8, [0xC3, 0x28]) }]
    },
  ]
}
