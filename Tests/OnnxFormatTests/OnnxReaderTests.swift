import ModelIR
import OnnxFormat
import TensorCore
import Testing

@Suite struct OnnxReaderTests {
  /// y = Relu(x + w), with x of N×2.
  static var small: ModelBuilder {
    var model = ModelBuilder()
    model.inputs = [ModelBuilder.port("x", [.symbol("N"), .fixed(2)])]
    model.outputs = [ModelBuilder.port("y", nil)]
    model.initializers = [ModelBuilder.tensor("w", dims: [2], floats: [1, -3])]
    model.nodes = [
      ModelBuilder.node("Add", ["x", "w"], ["sum"], name: "/block/block.0/Add"),
      ModelBuilder.node("Relu", ["sum"], ["y"], name: "/block/block.0/act/Relu"),
    ]
    return model
  }

  @Test func aGraphKeepsNamesShapesAndOrigins() throws {
    let graph = try OnnxReader().graph(bytes: OnnxReaderTests.small.bytes)
    #expect(graph.inputs.map(\.name) == ["x"])
    #expect(graph.outputs.map(\.name) == ["y"])
    #expect(graph.nodes.map(\.name) == ["/block/block.0/Add", "/block/block.0/act/Relu"])
    #expect(graph.nodes.map(\.origin) == ["block.0", "block.0.act"])
    #expect(graph.type(graph.outputs[0].value).dimensions == [.symbol("N"), 2])
    #expect(
      graph.metadata == ["onnx.ir": "8", "onnx.opset": "17", "producer": "builder"])
  }

  @Test func nodesAreSortedWhereTheFileDoesNot() throws {
    var model = OnnxReaderTests.small
    model.nodes.reverse()
    let graph = try OnnxReader().graph(bytes: model.bytes)
    #expect(graph.nodes.map { Swift.type(of: $0.op).name } == ["Add", "Relu"])
  }

  @Test func identitiesOfInitializersAreTheInitializers() throws {
    var model = OnnxReaderTests.small
    model.nodes[0] = ModelBuilder.node("Add", ["x", "alias"], ["sum"])
    model.nodes.insert(ModelBuilder.node("Identity", ["w"], ["alias"]), at: 0)
    let graph = try OnnxReader().graph(bytes: model.bytes)
    #expect(graph.nodes.count == 2)
  }

  @Test func aFunctionIsInlinedWithTheCallsAttributes() throws {
    var model = OnnxReaderTests.small
    model.opsets.append(("local", 1))
    model.functions = [
      ModelBuilder.function(
        "Scores", domain: "local", ["a", "unused"], ["b"], attributes: ["which"],
        nodes: {
          [
            ModelBuilder.node("Relu", ["a"], ["positive"]),
            ModelBuilder.node(
              "Softmax", ["positive"], ["b"], name: "softmax",
              attributes: [ModelBuilder.attribute("axis", reference: "which", type: 2)]),
          ]
        })
    ]
    model.nodes[1] = ModelBuilder.node(
      "Scores", ["sum"], ["y"], name: "call", domain: "local",
      attributes: [ModelBuilder.attribute("which", integer: 0)])
    let graph = try OnnxReader().graph(bytes: model.bytes)
    #expect(graph.nodes.map(\.name) == ["/block/block.0/Add", "call/positive", "call/softmax"])
    #expect(graph[graph.nodes[2].outputs[0]].name == "y")
    let axis = graph.nodes[2].op.attributes.first { $0.name == "axis" }?.value
    #expect(axis == .integer(0))
  }

  @Test func initializersOfOldFilesAreInputsAsWell() throws {
    var model = OnnxReaderTests.small
    model.inputs.append(ModelBuilder.port("w", [.fixed(2)]))
    let graph = try OnnxReader().graph(bytes: model.bytes)
    #expect(graph.inputs.map(\.name) == ["x"])
  }

  @Test func scopesNameTheModuleAndWeightsNameItBetter() throws {
    let scopes = [("pkg.torch.onnx.name_scopes", "['', 'enc', 'enc.0', 'relu_1']")]
    var model = OnnxReaderTests.small
    model.nodes[1] = ModelBuilder.node("Relu", ["sum"], ["y"], name: "n", metadata: scopes)
    #expect(try OnnxReader().graph(bytes: model.bytes).nodes[1].origin == "enc.0")
    model.initializers.append(ModelBuilder.tensor("net.act.weight", dims: [2], floats: [1, 1]))
    model.nodes[1] = ModelBuilder.node(
      "PRelu", ["sum", "net.act.weight"], ["y"], name: "n", metadata: scopes)
    #expect(try OnnxReader().graph(bytes: model.bytes).nodes[1].origin == "net.act")
  }

  /// Extents that an exporter does not know have nothing to do with each other.
  @Test(arguments: ["?", "-1", "None", "*"])
  func placeholdersAreNoSymbols(name: String) throws {
    var model = OnnxReaderTests.small
    model.inputs = [ModelBuilder.port("x", [.symbol(name), .symbol("_n"), .symbol(name)])]
    let graph = try OnnxReader().graph(bytes: model.bytes)
    #expect(graph.type(graph.inputs[0].value).dimensions == [.unknown, .symbol("_n"), .unknown])
  }

  @Test func pathsOfTheExporterAreDropped() throws {
    var model = OnnxReaderTests.small
    model.producer = "/home/somebody/export.py"
    let graph = try OnnxReader().graph(bytes: model.bytes)
    #expect(graph.metadata["producer"] == nil)
  }
}
