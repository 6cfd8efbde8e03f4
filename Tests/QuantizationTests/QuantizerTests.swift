import ModelIR
import ModelOperators
import ModelQuantization
import ModelRuntime
import TensorCore
import Testing

/// x → conv+relu → conv + x (residual) → concat with x → transposed conv → tanh.
private func sample() throws -> Graph {
  var graph = Graph()
  let x = try graph.addInput("x", TensorType(.float32, [.symbol("N"), 4, 6, 6]))
  func constant(_ dimensions: [Int], _ seed: UInt64) throws -> ValueID {
    graph.addConstant(noise(try Shape(dimensions), seed: seed), named: "c\(seed)")
  }
  let same = Window(pads: [1, 1, 1, 1])
  let a = try graph.appendOne(
    Convolution(window: same, epilogue: Epilogue(.relu)), named: "a",
    to: [x, constant([4, 4, 3, 3], 1), constant([4], 2)])
  let b = try graph.appendOne(
    Convolution(window: same, epilogue: Epilogue(.relu)), named: "b",
    to: [a, constant([4, 4, 3, 3], 3), constant([4], 4), x])
  let both = try graph.appendOne(Concat(axis: 1), named: "both", to: [b, a])
  let up = try graph.appendOne(
    TransposedConvolution(
      window: Window(strides: [2, 2], pads: [1, 1, 1, 1]), outputPadding: [1, 1],
      epilogue: Epilogue(.tanh)),
    named: "up", to: [both, constant([8, 3, 3, 3], 5), constant([3], 6)])
  try graph.addOutput("up", up)
  try graph.verify()
  return graph
}

private func quantized(
  _ graph: Graph, _ method: CalibrationMethod = .minMax
) throws -> (graph: Graph, record: QuantizationRecord) {
  var calibration = Calibration(try Quantizer.prepared(graph))
  for seed in 10..<90 {
    try calibration.observe([noise(try Shape([2, 4, 6, 6]), seed: UInt64(seed))])
  }
  return try Quantizer(method: method).quantize(calibration)
}

@Test func integerGraphStaysCloseToTheFloatOne() throws {
  let graph = try sample()
  let (integer, record) = try quantized(graph)
  let x = noise(try Shape([1, 4, 6, 6]), seed: 99)
  let expected = try ReferenceExecutor(graph).run([x])[0].doubles()
  let found = try ReferenceExecutor(integer).run([x])[0].doubles()
  var (signal, error) = (0.0, 0.0)
  for (p, q) in zip(expected, found) {
    signal += p * p
    error += (p - q) * (p - q)
  }
  #expect(signal / error > 1000, "SQNR is above 30 dB")
  #expect(
    record.layers.filter { $0.floatReason == nil }.map(\.name) == ["a", "b", "both", "up"])
}

@Test func everyFloatNodeHasAReason() throws {
  var graph = Graph()
  let x = try graph.addInput("x", TensorType(.float32, [.symbol("N"), 4, 6, 6]))
  try graph.addOutput("y", try graph.appendOne(Tanh(), named: "tanh", to: [x]))
  let (_, record) = try quantized(graph)
  let tanh = record.layers.first { $0.operatorName == "Tanh" }
  #expect(tanh?.floatReason == "nothing reads it as integers")
}

@Test func plannedIntegersEqualTheReference() throws {
  let (integer, _) = try quantized(try sample())
  var runner = ModelRunner(integer)
  var observed: [ValueID: Tensor] = [:]
  let x = noise(try Shape([2, 4, 6, 6]), seed: 7)
  _ = try ReferenceExecutor(integer).run([x]) { (id, tensor) throws(ModelError) in
    observed[id] = tensor
  }
  _ = try runner.run([x]) { (id, tensor) throws(ModelError) in
    if tensor.quantization != nil { #expect(observed[id] == tensor) }
  }
}

@Test func whatGoesIntoAGraphIsNotCutOff() throws {
  let graph = try Quantizer.prepared(try sample())
  var calibration = Calibration(graph)
  let shape = try Shape([1000, 4, 6, 6])
  let even = noise(shape, seed: 10).floats()
  try calibration.observe([Tensor(shape, [9] + even.dropFirst().map { $0 * 0.1 })])
  let x = graph.inputs[0].value
  let whole = try calibration.ranges(.minMax)[x]
  #expect(try calibration.observer(of: x)?.range(.mse) != whole)
  #expect(try calibration.ranges(.mse)[x] == whole)
}

@Test func keptNodesStayFloat() throws {
  var calibration = Calibration(try Quantizer.prepared(try sample()))
  try calibration.observe([noise(try Shape([1, 4, 6, 6]), seed: 1)])
  let (graph, record) = try Quantizer(method: .minMax, keptFloat: ["b"]).quantize(calibration)
  #expect(record.layers.first { $0.name == "b" }?.floatReason == "kept in float on request")
  #expect(graph.nodes.contains { $0.name == "b" && graph.type($0.outputs[0]).quantization == nil })
}

/// A bidirectional GRU, then an LSTM over what it makes.
private func recurrentSample() throws -> Graph {
  var graph = Graph()
  let x = try graph.addInput("x", TensorType(.float32, [12, 2, 10]))
  func constant(_ dimensions: [Int], _ seed: UInt64) throws -> ValueID {
    graph.addConstant(noise(try Shape(dimensions), seed: seed), named: "c\(seed)")
  }
  var both = Recurrence()
  both.direction = .bidirectional
  let gru = try graph.append(
    GRU(both, resetsAfter: true), named: "gru",
    to: [x, constant([2, 24, 10], 1), constant([2, 24, 8], 2), constant([2, 48], 3)])
  let order = graph.addConstant(Tensor(vector: [Int64(0), 0, 16]), named: "order")
  let swapped = try graph.appendOne(Transpose([0, 2, 1, 3]), named: "t", to: [gru[0]])
  let flat = try graph.appendOne(Reshape(), named: "flat", to: [swapped, order])
  let lstm = try graph.append(
    LSTM(Recurrence()), named: "lstm",
    to: [flat, constant([1, 24, 16], 4), constant([1, 24, 6], 5), constant([1, 48], 6)])
  try graph.addOutput("y", lstm[0])
  try graph.addOutput("last", gru[1])
  return graph
}

@Test func recurrentLayersTakeIntegers() throws {
  let graph = try recurrentSample()
  var calibration = Calibration(try Quantizer.prepared(graph))
  let shape = try Shape([12, 2, 10])
  for seed in 10..<90 { try calibration.observe([noise(shape, seed: UInt64(seed))]) }
  let (integer, record) = try Quantizer(method: .minMax).quantize(calibration)
  #expect(
    record.layers.filter { ["gru", "lstm"].contains($0.name) && $0.floatReason == nil }.count == 2)
  let x = noise(shape, seed: 99)
  let expected = try ReferenceExecutor(graph).run([x])
  let found = try ReferenceExecutor(integer).run([x])
  for (right, own) in zip(expected, found) {
    var (signal, error) = (0.0, 0.0)
    for (p, q) in zip(right.doubles(), own.doubles()) {
      signal += p * p
      error += (p - q) * (p - q)
    }
    #expect(signal / error > 300, "SQNR is above 25 dB")
  }
  var runner = ModelRunner(integer)
  let planned = try runner.run([x])
  #expect(planned == found)
}

@Test func productsOfActivationsTakeIntegers() throws {
  var graph = Graph()
  let shape = try Shape([2, 6, 8])
  let x = try graph.addInput("x", TensorType(.float32, shape))
  func linear(_ name: String, _ seed: UInt64) throws -> ValueID {
    let w = graph.addConstant(noise(try Shape([8, 8]), seed: seed), named: "\(name).weight")
    return try graph.appendOne(Linear(transposeWeight: true), named: name, to: [x, w])
  }
  let (q, k, v) = (try linear("q", 1), try linear("k", 2), try linear("v", 3))
  let turned = try graph.appendOne(Transpose([0, 2, 1]), named: "turned", to: [k])
  let scores = try graph.appendOne(MatMul(), named: "scores", to: [q, turned])
  let weights = try graph.appendOne(Softmax(axis: -1), named: "weights", to: [scores])
  try graph.addOutput("y", try graph.appendOne(MatMul(), named: "mixed", to: [weights, v]))
  var calibration = Calibration(try Quantizer.prepared(graph))
  for seed in 10..<90 { try calibration.observe([noise(shape, seed: UInt64(seed))]) }
  let (integer, record) = try Quantizer(method: .minMax).quantize(calibration)
  let reasons = Dictionary(
    record.layers.map { ($0.name, $0.floatReason) }, uniquingKeysWith: { $1 })
  #expect(reasons["scores"] == .some(nil))
  #expect(reasons["mixed"] == .some(nil))
  #expect(record.layers.first { $0.name == "mixed" }?.activationBits == 16)
  let sample = noise(shape, seed: 99)
  let expected = try ReferenceExecutor(graph).run([sample])[0].doubles()
  let found = try ReferenceExecutor(integer).run([sample])[0].doubles()
  for (a, b) in zip(expected, found) { #expect(abs(a - b) < 0.1) }
}

@Test func attentionMultipliesIntegers() throws {
  var graph = Graph()
  let x = try graph.addInput(
    "x", TensorType(.float32, [.fixed(1), .fixed(2), .symbol("T"), .fixed(8)]))
  func linear(_ name: String, _ seed: UInt64) throws -> ValueID {
    let w = graph.addConstant(noise(try Shape([8, 8]), seed: seed), named: "\(name).weight")
    return try graph.appendOne(Linear(transposeWeight: true), named: name, to: [x, w])
  }
  let operands = [try linear("q", 1), try linear("k", 2), try linear("v", 3)]
  try graph.addOutput("y", try graph.appendOne(Attention(), named: "attention", to: operands))
  var calibration = Calibration(try Quantizer.prepared(graph))
  for seed in 10..<90 {
    try calibration.observe([noise(try Shape([1, 2, 6, 8]), seed: UInt64(seed))])
  }
  let (integer, record) = try Quantizer(method: .minMax).quantize(calibration)
  for layer in record.layers where layer.operatorName == MatMul.name {
    #expect(layer.floatReason == nil, "\(layer.name)")
  }
  #expect(integer.nodes.count { $0.op is MatMul } == 3)
  let sample = noise(try Shape([1, 2, 9, 8]), seed: 99)
  let expected = try ReferenceExecutor(graph).run([sample])[0].doubles()
  let found = try ReferenceExecutor(integer).run([sample])
  for (a, b) in zip(expected, found[0].doubles()) { #expect(abs(a - b) < 0.05) }
  var runner = ModelRunner(integer)
  #expect(try runner.run([sample]) == found)
}

/// The signal-to-noise ratio of one linear layer with a skewed operand, by the way its weights are rounded.
private func roundingQuality(_ rounding: WeightRounding) throws -> Double {
  var graph = Graph()
  let shape = try Shape([64, 48])
  let x = try graph.addInput("x", TensorType(.float32, shape))
  var weights = noise(try Shape([32, 48]), seed: 5).floats()
  // A weight far from the others makes the plain scale a coarse one.
  for row in 0..<32 { weights[row * 48] *= 1.4 }
  let w = graph.addConstant(Tensor(try Shape([32, 48]), weights), named: "w")
  let y = try graph.appendOne(
    Linear(transposeWeight: true, epilogue: Epilogue(.relu)), named: "y", to: [x, w])
  try graph.addOutput("y", y)
  func sample(_ seed: UInt64) throws -> Tensor {
    Tensor(shape, noise(shape, seed: seed).floats().map { $0 + 1 })
  }
  var calibration = Calibration(try Quantizer.prepared(graph))
  for seed in 10..<90 { try calibration.observe([sample(UInt64(seed))]) }
  let integer = try Quantizer(method: .minMax, rounding: rounding).quantize(calibration).graph
  return try quality(of: integer, against: graph, try sample(99))
}

@Test func correctedBiasesTakeOffWhatRoundingAdds() throws {
  let plain = try roundingQuality(.nearest)
  #expect(try roundingQuality(.corrected) > 1.5 * plain)
  #expect(try roundingQuality(.leastError) > 0.8 * plain)
}

@Test func correctionDoesNotDependOnTheOrderOfSamples() throws {
  let samples = try (10..<14).map { noise(try Shape([2, 4, 6, 6]), seed: UInt64($0)) }
  func quantized(_ samples: [Tensor]) throws -> Graph {
    var calibration = Calibration(try Quantizer.prepared(try sample()))
    for sample in samples { try calibration.observe([sample]) }
    return try Quantizer(method: .minMax).quantize(calibration).graph
  }
  let (forwards, backwards) = (try quantized(samples), try quantized(samples.reversed()))
  for (a, b) in zip(forwards.values, backwards.values) {
    #expect(a.fact.constant == b.fact.constant)
  }
}
