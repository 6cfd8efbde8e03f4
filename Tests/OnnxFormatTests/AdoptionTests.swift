import Foundation
import ModelIR
import ModelOperators
import ModelQuantization
import ModelRuntime
import OnnxFormat
import TensorCore
import Testing

/// Models that others quantized run on integers, with the numbers of the file.
@Suite struct AdoptionTests {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../golden/quantized").standardized.path()

  /// Every golden, and how far the output may be from onnxruntime's, in steps of the output.
  static let goldens: [(name: String, steps: Double)] = [
    ("bytes", 1), ("convolutions-s8s8", 3), ("convolutions-s8s8-channels", 3),
    ("convolutions-s8s8-operators", 3), ("convolutions-u8s8-channels", 3),
    ("convolutions-u8s8-operators", 3), ("convolutions-u8u8", 3),
    ("convolutions-u8u8-operators", 3), ("fake-quantized", 1), ("products-s8s8", 3),
    ("products-s8s8-channels", 3), ("products-s8s8-operators", 3),
    ("products-u8s8-channels", 3), ("products-u8s8-operators", 3), ("products-u8u8", 3),
    ("products-u8u8-operators", 3),
  ]
  static let names = goldens.map(\.name)

  struct Golden {
    let source: Graph
    let adoption: Adoption
    let x: Tensor
    let y: Tensor
  }

  static func golden(_ name: String) throws -> Golden {
    let source = try OnnxReader().graph(path: "\(folder)/\(name).onnx")
    let arrays = try NumpyArchive.read(path: "\(folder)/\(name).npz")
    #expect(Adoption.applies(to: source))
    return Golden(
      source: source, adoption: try Adoption(of: source),
      x: try #require(arrays.first { $0.name == "x" }).tensor,
      y: try #require(arrays.first { $0.name == "y" }).tensor)
  }

  /// The greatest distance in units of the last quantization of `graph`.
  static func steps(_ a: Tensor, _ b: Tensor, _ graph: Graph) throws -> Double {
    var scale = 1.0
    if a.element == .float32 {
      let last = try #require(graph.nodes.last { $0.op is DequantizeLinear })
      scale = try #require(last.inputs[1].flatMap { graph.constant($0) }).doubles()[0]
    }
    return zip(a.doubles(), b.doubles()).map { abs($0 - $1) / scale }.max() ?? 0
  }

  @Test(arguments: names)
  func outputsAreOnnxruntimes(name: String) throws {
    let golden = try AdoptionTests.golden(name)
    let limit = try #require(AdoptionTests.goldens.first { $0.name == name }).steps
    let own = try ReferenceExecutor(golden.adoption.graph).run([golden.x])[0]
    let distance = try AdoptionTests.steps(own, golden.y, golden.source)
    #expect(distance <= limit + 1e-3)
  }

  @Test(arguments: names)
  func plansGiveTheSameIntegers(name: String) throws {
    let golden = try AdoptionTests.golden(name)
    var right: [ValueID: Tensor] = [:]
    _ = try ReferenceExecutor(golden.adoption.graph).run([golden.x]) {
      (id, tensor) throws(ModelError) in right[id] = tensor
    }
    var runner = ModelRunner(golden.adoption.graph)
    _ = try runner.run([golden.x]) { (id, tensor) throws(ModelError) in
      if tensor.quantization != nil { #expect(right[id] == tensor) }
    }
  }

  /// `Q53`: on the same operands, a layer's int8 result is that of its float form, quantized, within one step.
  @Test(arguments: names)
  func everyLayerIsWithinOneStepOfItsFloatForm(name: String) throws {
    let golden = try AdoptionTests.golden(name)
    let graph = golden.adoption.graph
    var tensors: [ValueID: Tensor] = [:]
    for (index, value) in graph.values.enumerated() {
      tensors[graph.id(at: index)] = value.fact.constant
    }
    tensors[graph.inputs[0].value] = golden.x
    _ = try ReferenceExecutor(graph).run([golden.x]) { (id, tensor) throws(ModelError) in
      tensors[id] = tensor
    }
    var compared = 0
    for node in graph.nodes where !(node.op is LookupTable) {
      guard let parameters = graph.type(node.outputs[0]).quantization else { continue }
      let operands = node.inputs.map { $0.flatMap { tensors[$0]?.dequantized() } }
      let real = try node.op.reference(Operands(operands))[0]
      let own = try #require(tensors[node.outputs[0]]).integers()
      for (x, q) in zip(real.floats(), own) {
        let right = IntegerArithmetic.quantize(x, parameters)
        #expect(abs(Int64(right) - q) <= 1, "\(node.name)")
        compared += 1
      }
    }
    #expect(compared > 0)
  }

  /// Reasons by node, of those that stay float.
  private func reasons(_ name: String) throws -> [String: String] {
    Dictionary(
      try AdoptionTests.golden(name).adoption.record.layers.compactMap { layer in
        layer.floatReason.map { (layer.name, $0) }
      }, uniquingKeysWith: { $1 })
  }

  @Test func whatStaysFloatHasItsReason() throws {
    for name in ["s8s8", "s8s8-channels", "u8s8-channels"] {
      #expect(try reasons("convolutions-\(name)").keys.sorted() == ["y"])
      #expect(
        try reasons("products-\(name)").keys.sorted() == ["weights"])
    }
    let unsigned = try reasons("convolutions-u8u8")
    #expect(unsigned.keys.sorted() == ["depthwise", "gate.conv", "y"])
    #expect(unsigned["depthwise"]?.hasPrefix("its weights are asymmetric") == true)
    #expect(unsigned["y"]?.hasPrefix("Softmax has no integer form") == true)
    let operators = try reasons("convolutions-u8s8-operators")
    #expect(operators["up"] == "the file does not quantize its weights")
    #expect(operators["head.tanh"] == "the file does not quantize its result")
    #expect(operators["flat"] == "the file does not quantize its operand 'pool'")
    #expect(try reasons("fake-quantized") == ["y": "the file does not quantize its result"])
    #expect(try reasons("bytes") == [:])
  }

  @Test func dynamicModelsStayFloat() throws {
    for name in ["convolutions-dynamic", "products-dynamic"] {
      let path = "\(AdoptionTests.folder)/\(name)"
      let graph = try OnnxReader().graph(path: "\(path).onnx")
      #expect(!Adoption.applies(to: graph))
      let arrays = try NumpyArchive.read(path: "\(path).npz")
      let x = try #require(arrays.first { $0.name == "x" }).tensor
      let y = try #require(arrays.first { $0.name == "y" }).tensor
      let own = try ReferenceExecutor(graph).run([x])[0]
      // A value near a half step may be rounded to its other side, which moves a sum by one step.
      for (a, b) in zip(own.floats(), y.floats()) { #expect(abs(a - b) < 0.02) }
    }
  }

  // MARK: - Our own exports

  /// Quantizes, exports, reads, adopts, and demands the same bits.
  private func roundTrip(_ graph: Graph, _ inputs: [Tensor], wideShare: Double = 0) throws {
    let float = try Quantizer.prepared(graph)
    var calibration = Calibration(float)
    try calibration.observe(inputs)
    var quantizer = Quantizer()
    quantizer.wideShare = wideShare
    let integer = try quantizer.quantize(calibration).graph
    #expect(integer.values.contains { $0.type.quantization != nil })
    let source = try OnnxReader().graph(bytes: try OnnxWriter().bytes(of: integer))
    let again = try Adoption(of: source).graph
    #expect(try ReferenceExecutor(again).run(inputs) == ReferenceExecutor(integer).run(inputs))
    func kinds(_ graph: Graph) -> [String] {
      graph.nodes.map { node in
        let isInteger = graph.type(node.outputs[0]).quantization != nil
        return Swift.type(of: node.op).name + (isInteger ? " int8" : "")
      }.sorted()
    }
    #expect(kinds(again) == kinds(integer))
  }

  @Test(arguments: Activation.allCases)
  func exportsComeBackAsTheyWere(activation: Activation) throws {
    try roundTrip(
      try OnnxWriterTests.network(activation), [try OnnxWriterTests.tensor([1, 3, 5, 5])])
  }

  @Test func exportedImagesComeBackAsTheyWere() throws {
    var graph = Graph()
    let x = try graph.addInput("x", TensorType(.float32, try Shape([1, 4, 6, 6])))
    func constant(_ shape: [Int]) throws -> ValueID {
      graph.addConstant(try OnnxWriterTests.tensor(shape, scale: 0.5), named: "weight")
    }
    let same = Window(pads: [1, 1, 1, 1])
    let a = try graph.appendOne(
      Convolution(window: same), named: "a", to: [x, constant([4, 4, 3, 3]), constant([4])])
    let mean = try graph.appendOne(
      AveragePool(kernel: [2, 2], window: Window(strides: [2, 2])), named: "mean", to: [a])
    let most = try graph.appendOne(
      MaxPool(kernel: [2, 2], window: Window(strides: [2, 2])), named: "most", to: [a])
    let both = try graph.appendOne(Concat(axis: 1), named: "both", to: [mean, most])
    let up = try graph.appendOne(
      TransposedConvolution(window: Window(strides: [2, 2]), epilogue: Epilogue(.leakyRelu)),
      named: "up", to: [both, constant([8, 4, 2, 2]), constant([4])])
    let gate = try graph.appendOne(Sigmoid(), named: "gate", to: [up])
    let gated = try graph.appendOne(Mul(), named: "gated", to: [gate, a])
    let sum = try graph.appendOne(Add(), named: "sum", to: [gated, up])
    let turned = try graph.appendOne(Transpose([0, 2, 3, 1]), named: "turned", to: [sum])
    let rows = try graph.appendOne(
      Linear(transposeWeight: true, epilogue: Epilogue(.relu)), named: "rows",
      to: [turned, constant([5, 4]), constant([5])])
    let last = try graph.appendOne(
      Linear(transposeWeight: true), named: "last", to: [rows, constant([3, 5])])
    try graph.addOutput("y", try graph.appendOne(Softmax(axis: -1), named: "y", to: [last]))
    try roundTrip(graph, [try OnnxWriterTests.tensor([1, 4, 6, 6])])
  }

  @Test func exportedFloatSumsComeBackAsTheyWere() throws {
    var graph = Graph()
    var x = try graph.addInput("x", TensorType(.float32, try Shape([1, 4, 6, 6])))
    let same = Window(pads: [1, 1, 1, 1])
    func convolution(_ name: String, _ x: ValueID, adding sum: ValueID?) throws -> ValueID {
      let w = graph.addConstant(try OnnxWriterTests.tensor([4, 4, 3, 3], scale: 0.1), named: "w")
      return try graph.appendOne(
        Convolution(window: same, epilogue: Epilogue(.relu)), named: name,
        to: sum.map { [x, w, nil, $0] } ?? [x, w])
    }
    for index in 0..<4 {
      let inner = try convolution("inner\(index)", x, adding: nil)
      x = try convolution("sum\(index)", inner, adding: index == 0 ? nil : x)
    }
    try graph.addOutput("y", try convolution("y", x, adding: nil))
    // Enough for each sum, 2 of the 324 products of an element, and for no layer to read 16 bits.
    try roundTrip(graph, [try OnnxWriterTests.tensor([1, 4, 6, 6])], wideShare: 0.1)
  }

  @Test func exportedRecurrentLayersComeBackAsTheyWere() throws {
    var graph = Graph()
    let x = try graph.addInput("x", TensorType(.float32, try Shape([7, 2, 10])))
    func constant(_ shape: [Int]) throws -> ValueID {
      graph.addConstant(try OnnxWriterTests.tensor(shape, scale: 0.5), named: "weight")
    }
    var both = Recurrence()
    both.direction = .bidirectional
    let gru = try graph.append(
      GRU(both, resetsAfter: true), named: "gru",
      to: [x, constant([2, 24, 10]), constant([2, 24, 8]), constant([2, 48])])
    let order = graph.addConstant(Tensor(vector: [Int64(0), 0, 16]), named: "order")
    let swapped = try graph.appendOne(Transpose([0, 2, 1, 3]), named: "t", to: [gru[0]])
    let flat = try graph.appendOne(Reshape(), named: "flat", to: [swapped, order])
    let lstm = try graph.append(
      LSTM(Recurrence()), named: "lstm",
      to: [flat, constant([1, 24, 16]), constant([1, 24, 6]), constant([1, 48])])
    try graph.addOutput("y", lstm[0])
    try graph.addOutput("last", gru[1])
    try roundTrip(graph, [try OnnxWriterTests.tensor([7, 2, 10])])
  }

  @Test func exportedTablesComeBackAsTheyWere() throws {
    var graph = Graph()
    let parameters = QuantizationParameters(scale: 0.05, zeroPoint: 3)
    let x = try graph.addInput("x", TensorType(.float32, try Shape([64])))
    let q = try graph.appendOne(Quantize(), named: "q", to: [x], quantizedAs: parameters)
    let table = LookupTable.table(from: parameters, to: parameters) { $0 * $0 - 1 }
    let y = try graph.appendOne(
      LookupTable(function: "Square"), named: "y8",
      to: [q, graph.addConstant(table, named: "table")], quantizedAs: parameters)
    try graph.addOutput("y", try graph.appendOne(Dequantize(), named: "y", to: [y]))
    let source = try OnnxReader().graph(bytes: try OnnxWriter().bytes(of: graph))
    let again = try Adoption(of: source).graph
    #expect(again.values.contains { $0.fact.constant == table })
    #expect(
      again.nodes.map { Swift.type(of: $0.op).name } == ["Quantize", "LookupTable", "Dequantize"])
  }
}
