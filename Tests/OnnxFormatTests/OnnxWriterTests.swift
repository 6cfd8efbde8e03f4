import Foundation
import ModelIR
import ModelOperators
import ModelPasses
import ModelQuantization
import ModelRuntime
import OnnxFormat
import TensorCore
import Testing

/// Exported graphs are read again and must compute the same.
@Suite struct OnnxWriterTests {
  static func values(_ count: Int, scale: Float = 1) -> [Float] {
    (0..<count).map { Float(($0 * 37 + 11) % 23 - 11) / 11 * scale }
  }

  static func tensor(_ shape: [Int], scale: Float = 1) throws -> Tensor {
    let shape = try Shape(shape)
    return Tensor(shape, values(shape.count, scale: scale))
  }

  /// The greatest difference between the outputs of a graph and of its export, read again.
  static func difference(_ graph: Graph, _ inputs: [Tensor]) throws -> Double {
    let again = try OnnxReader().graph(bytes: try OnnxWriter().bytes(of: graph))
    #expect(again.inputs.map(\.name) == graph.inputs.map(\.name))
    #expect(again.outputs.map(\.name) == graph.outputs.map(\.name))
    let expected = try ReferenceExecutor(graph).run(inputs)
    let actual = try ReferenceExecutor(again).run(inputs)
    var worst = 0.0
    for (x, y) in zip(expected, actual) {
      #expect(x.shape == y.shape)
      for (a, b) in zip(x.doubles(), y.doubles()) { worst = max(worst, abs(a - b)) }
    }
    return worst
  }

  /// Conv → Conv with everything an epilogue has → Linear → output.
  static func network(_ activation: Activation) throws -> Graph {
    var graph = Graph()
    let x = try graph.addInput("x", TensorType(.float32, try Shape([1, 3, 5, 5])))
    let first = graph.addConstant(try tensor([4, 3, 3, 3], scale: 0.4), named: "first.weight")
    let second = graph.addConstant(try tensor([4, 4, 1, 1], scale: 0.6), named: "second.weight")
    let bias = graph.addConstant(try tensor([4], scale: 0.3), named: "second.bias")
    let slope = graph.addConstant(try tensor([4], scale: 0.2), named: "second.slope")
    let weight = graph.addConstant(try tensor([6, 9], scale: 0.5), named: "last.weight")
    let a = try graph.appendOne(Convolution(), named: "first", to: [x, first])
    let b = try graph.appendOne(
      Convolution(
        epilogue: Epilogue(activation, alpha: 0.125, lower: -0.25, upper: 0.75)),
      named: "second", to: [a, second, bias, a] + (activation == .prelu ? [slope] : []))
    let flat = graph.addConstant(Tensor(vector: [1, 4, 9] as [Int64]), named: "flat")
    let c = try graph.appendOne(Reshape(), named: "rows", to: [b, flat])
    let d = try graph.appendOne(
      Linear(transposeWeight: true, epilogue: Epilogue(.tanh)), named: "last", to: [c, weight])
    try graph.addOutput("y", d)
    return graph
  }

  @Test(arguments: Activation.allCases)
  func fusedLayersAreUnfolded(activation: Activation) throws {
    let graph = try OnnxWriterTests.network(activation)
    let worst = try OnnxWriterTests.difference(
      graph, [try OnnxWriterTests.tensor([1, 3, 5, 5])])
    #expect(worst < 1e-5)
  }

  @Test(arguments: [Activation.none, .relu, .prelu, .sigmoid, .gelu])
  func quantizedGraphsBecomeQDQ(activation: Activation) throws {
    let float = try Quantizer.prepared(try OnnxWriterTests.network(activation))
    let input = try OnnxWriterTests.tensor([1, 3, 5, 5])
    var calibration = Calibration(float)
    try calibration.observe([input])
    let graph = try Quantizer().quantize(calibration).graph
    #expect(graph.values.contains { $0.type.quantization != nil })
    let again = try OnnxReader().graph(bytes: try OnnxWriter().bytes(of: graph))
    let kinds = Set(again.nodes.map { Swift.type(of: $0.op).name })
    #expect(kinds.isSuperset(of: ["QuantizeLinear", "DequantizeLinear", "Conv"]))
    let names = again.nodes.map(\.name)
    #expect(Set(names).count == names.count, "\(names.sorted())")
    // Float sums and integer sums may round to neighbouring int8 numbers.
    #expect(try OnnxWriterTests.difference(graph, [input]) < 0.03)
  }

  @Test func aTableThatIsNoFunctionIsWrittenAsItself() throws {
    var graph = Graph()
    let parameters = QuantizationParameters(scale: 0.05, zeroPoint: 3)
    let x = try graph.addInput("x", TensorType(.float32, try Shape([64])))
    let q = try graph.appendOne(Quantize(), named: "q", to: [x], quantizedAs: parameters)
    let table = graph.addConstant(
      LookupTable.table(from: parameters, to: parameters) { $0 * $0 - 1 }, named: "table")
    let y = try graph.appendOne(
      LookupTable(function: "Square"), named: "y8", to: [q, table], quantizedAs: parameters)
    try graph.addOutput("y", try graph.appendOne(Dequantize(), named: "y", to: [y]))
    #expect(
      try OnnxWriterTests.difference(graph, [try OnnxWriterTests.tensor([64], scale: 4)]) == 0)
  }

  @Test func outputsThatShareAValueAreCopied() throws {
    var graph = Graph()
    let x = try graph.addInput("x", TensorType(.float32, try Shape([2])))
    let y = try graph.appendOne(Relu(), named: "relu", to: [x])
    try graph.addOutput("a", y)
    try graph.addOutput("b", y)
    try graph.addOutput("same", x)
    let input = Tensor(vector: [-1, 2] as [Float])
    #expect(try OnnxWriterTests.difference(graph, [input]) == 0)
  }

  @Test func theSameGraphGivesTheSameBytes() throws {
    let graph = try OnnxWriterTests.network(.prelu)
    #expect(try OnnxWriter().bytes(of: graph) == OnnxWriter().bytes(of: graph))
  }

  @Test func whatONNXCannotSayIsRefused() throws {
    var graph = Graph()
    let x = try graph.addInput("x", TensorType(.float32, try Shape([1, 4, 2, 2])))
    let scale = graph.addConstant(try OnnxWriterTests.tensor([2]), named: "scale")
    var op = GroupNormalization(groups: 2, epsilon: 1e-5)
    op.scalesGroups = true
    try graph.addOutput("y", try graph.appendOne(op, named: "norm", to: [x, scale, scale]))
    let error = #expect(throws: ModelError.self) { try OnnxWriter().bytes(of: graph) }
    #expect(error?.code == .unsupportedOperator)
    let usage = #expect(throws: ModelError.self) { try OnnxWriter(opset: 3).bytes(of: graph) }
    #expect(usage?.code == .usage)
  }

  /// The passes' form of a whole network, written and read again.
  @Test func anOptimisedNetworkSurvives() throws {
    let graph = try Pipeline.portable.run(on: try FamilyImportTests.graph("d1"))
    let folder = FamilyImportTests.folder.appending(path: "small/test_data_set_0").path()
    let data = try TestDataSet(folder: folder, for: graph)
    let again = try OnnxReader().graph(bytes: try OnnxWriter().bytes(of: graph))
    var runner = ModelRunner(again)
    let outputs = try runner.run(data.inputs.map(\.tensor))
    for (output, expected) in zip(outputs, data.outputs) {
      let worst = zip(output.doubles(), expected.tensor.doubles()).map { abs($0 - $1) }.max() ?? 1
      #expect(worst < 1e-3, "\(expected.name)")
    }
  }
}
