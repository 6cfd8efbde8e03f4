import ModelIR
import ModelOperators
import ModelQuantization
import ModelRuntime
import TensorCore
import Testing

private func weights(_ dimensions: [Int], _ seed: UInt64, size: Float) throws -> Tensor {
  let even = noise(try Shape(dimensions), seed: seed)
  return Tensor(even.shape, even.floats().map { $0 * size })
}

/// `count` residual layers one after another whose branches add little, so that what rounding adds to each sum stays to the end.
private func chain(_ count: Int, side: Int = 6) throws -> Graph {
  var graph = Graph()
  let same = Window(pads: [1, 1, 1, 1])
  func constant(_ seed: Int, _ size: Float) throws -> ValueID {
    graph.addConstant(
      try weights([4, 4, 3, 3], UInt64(seed), size: size), named: "w\(seed)")
  }
  var x = try graph.addInput(
    "x", TensorType(.float32, [.symbol("N"), 4, .fixed(side), .fixed(side)]))
  x = try graph.appendOne(Convolution(window: same), named: "first", to: [x, constant(1, 0.5)])
  for index in 0..<count {
    let inner = try graph.appendOne(
      Convolution(window: same, epilogue: Epilogue(.relu)), named: "inner\(index)",
      to: [x, constant(2 * index + 2, 0.1)])
    x = try graph.appendOne(
      Convolution(window: same), named: "sum\(index)",
      to: [inner, constant(2 * index + 3, 0.1), nil, x])
  }
  let y = try graph.appendOne(Convolution(window: same), named: "y", to: [x, constant(99, 0.5)])
  try graph.addOutput("y", y)
  return graph
}

private func quantized(
  _ graph: Graph, _ samples: [Tensor], share: Double
) throws -> (graph: Graph, record: QuantizationRecord) {
  var calibration = Calibration(graph)
  for sample in samples { try calibration.observe([sample]) }
  var quantizer = Quantizer()
  quantizer.wideShare = share
  return try quantizer.quantize(calibration)
}

private func samples() throws -> [Tensor] {
  try (10..<14).map { noise(try Shape([2, 4, 6, 6]), seed: $0) }
}

/// How many convolutions add floats on.
private func floatSums(_ graph: Graph) -> Int {
  graph.nodes.count { node in
    node.inputs.count > 3 && node.inputs[3].map { graph.type($0).element == .float32 } ?? false
  }
}

/// Too little for a layer to read 16 bits, which costs a layer's products and 400 for each element.
private let little = 0.06

@Test func sumsOfLongChainsAreNotRounded() throws {
  let graph = try chain(8)
  let plain = try quantized(graph, try samples(), share: 0).graph
  let (exact, record) = try quantized(graph, try samples(), share: little)
  #expect(floatSums(plain) == 0)
  #expect(floatSums(exact) == 8)
  #expect(record.layers.allSatisfy { $0.floatReason == nil && $0.activationBits == nil })
  let held = try noise(99)
  #expect(
    try quality(of: exact, against: graph, held) > 2 * quality(of: plain, against: graph, held),
    "3 dB and more")
}

@Test func layersThatAddFloatsEqualTheReference() throws {
  let graph = try quantized(try chain(3), try samples(), share: little).graph
  #expect(floatSums(graph) > 0)
  var runner = ModelRunner(graph)
  let x = try noise(7)
  #expect(try runner.run([x]) == ReferenceExecutor(graph).run([x]))
}

@Test func sumsAreKeptWithinAShareOfTheProducts() throws {
  let graph = try chain(8)
  // 18 layers sum 36 products for each element; one of a sum costs 2.
  let one = 2.0 / (18 * 36)
  for count in [0, 1, 3, 5] {
    let made = try quantized(graph, try samples(), share: one * (Double(count) + 0.5)).graph
    #expect(floatSums(made) == count)
  }
}

@Test func sumsThatCachesDoNotHoldCostMore() throws {
  // Four layers sum 36 products for each element; one of a sum costs 100.
  let graph = try chain(1, side: 260)
  let samples = [noise(try Shape([1, 4, 260, 260]), seed: 10)]
  #expect(floatSums(try quantized(graph, samples, share: 99.0 / 144).graph) == 0)
  #expect(floatSums(try quantized(graph, samples, share: 101.0 / 144).graph) == 1)
}

@Test func sumsBesideNoisierLayersAreRounded() throws {
  // A layer of great weights reads the only sum: what rounding its operand adds is far more than what rounding the sum does.
  var graph = Graph()
  let x = try graph.addInput("x", TensorType(.float32, [.symbol("N"), 8]))
  func linear(_ name: String, _ seed: UInt64, _ size: Float, _ x: ValueID, _ r: ValueID?) throws
    -> ValueID
  {
    let w = graph.addConstant(try weights([8, 8], seed, size: size), named: "w\(seed)")
    return try graph.appendOne(Linear(), named: name, to: r.map { [x, w, nil, $0] } ?? [x, w])
  }
  let a = try linear("a", 1, 1, x, nil)
  let b = try linear("b", 2, 8, a, a)
  try graph.addOutput("y", try linear("y", 3, 1, b, nil))
  let samples = try (10..<14).map { noise(try Shape([6, 8]), seed: $0) }
  #expect(floatSums(try quantized(graph, samples, share: 0.6).graph) == 0)
}

@Test func sumsOfTheirOwnStayFloatWithAReason() throws {
  var graph = Graph()
  var x = try graph.addInput("x", TensorType(.float32, [.symbol("N"), 8]))
  func linear(_ name: String, _ seed: UInt64, _ size: Float, _ x: ValueID) throws -> ValueID {
    let w = graph.addConstant(try weights([8, 8], seed, size: size), named: "w\(seed)")
    return try graph.appendOne(Linear(), named: name, to: [x, w])
  }
  x = try linear("first", 1, 1, x)
  for index in 0..<6 {
    // What two read is added by an Add of its own.
    let branch = try linear("branch\(index)", UInt64(index + 2), 0.1, x)
    x = try graph.appendOne(Add(), named: "add\(index)", to: [x, branch])
  }
  try graph.addOutput("y", try linear("y", 9, 1, x))
  let samples = try (10..<14).map { noise(try Shape([6, 8]), seed: $0) }
  let record = try quantized(graph, samples, share: 1).record
  let reasons = record.layers.filter { $0.operatorName == "Add" }.map(\.floatReason)
  #expect(reasons.contains("rounding its sum to 8 bits would add much of the error"))
  let rounded = try quantized(graph, samples, share: 0).record
  #expect(
    rounded.layers.allSatisfy { $0.operatorName != "Add" || $0.floatReason == nil })
}
