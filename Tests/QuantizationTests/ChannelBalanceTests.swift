import ModelIR
import ModelOperators
import ModelQuantization
import ModelRuntime
import TensorCore
import Testing

/// Numbers in −1…1 that a seed decides, those of one index of `axis` so many times as great as another's.
private func uneven(_ dimensions: [Int], axis: Int? = nil, seed: UInt64) throws -> Tensor {
  let shape = try Shape(dimensions)
  let even = noise(shape, seed: seed)
  guard let axis else { return even }
  let inner = shape.count(axis + 1..<shape.rank)
  return Tensor(
    shape,
    even.floats().enumerated().map { index, value in
      value * [1, 0.3, 8, 0.05][index / inner % shape[axis] % 4]
    })
}

/// x → conv + prelu → conv + residual + relu → pooled, joined with a third of it → conv; channels of all are uneven.
private func sample() throws -> Graph {
  var graph = Graph()
  let x = try graph.addInput("x", TensorType(.float32, [.symbol("N"), 4, 8, 8]))
  func constant(_ dimensions: [Int], axis: Int?, _ seed: UInt64) throws -> ValueID {
    graph.addConstant(try uneven(dimensions, axis: axis, seed: seed), named: "c\(seed)")
  }
  let same = Window(pads: [1, 1, 1, 1])
  let a = try graph.appendOne(
    Convolution(window: same, epilogue: Epilogue(.prelu)), named: "a",
    to: [
      x, constant([8, 4, 3, 3], axis: 0, 1), constant([8], axis: 0, 2), nil,
      constant([8], axis: nil, 3),
    ])
  let b = try graph.appendOne(
    Convolution(window: same, epilogue: Epilogue(.relu)), named: "b",
    to: [a, constant([8, 8, 3, 3], axis: 0, 4), constant([8], axis: 0, 5), a])
  let pooled = try graph.appendOne(
    MaxPool(kernel: [3, 3], window: same), named: "pooled", to: [b])
  let third = try graph.appendOne(
    Convolution(groups: 8, window: same, epilogue: Epilogue(.relu)), named: "third",
    to: [b, constant([8, 1, 3, 3], axis: 0, 6), nil])
  let both = try graph.appendOne(Concat(axis: 1), named: "both", to: [pooled, third])
  let y = try graph.appendOne(
    Convolution(window: same), named: "y", to: [both, constant([4, 16, 3, 3], axis: nil, 7)])
  try graph.addOutput("y", y)
  try graph.verify()
  return graph
}

private func inputs(_ seeds: Range<UInt64>) throws -> [Tensor] {
  try seeds.map { try uneven([2, 4, 8, 8], seed: $0) }
}

private func balanced(_ graph: Graph, _ samples: [Tensor]) throws -> Graph? {
  var survey = ChannelSurvey(graph, .everywhere)
  for sample in samples { try survey.observe([sample]) }
  return try survey.balanced()
}

private func quantized(_ graph: Graph, _ samples: [Tensor]) throws -> Graph {
  var calibration = Calibration(graph)
  for sample in samples { try calibration.observe([sample]) }
  return try Quantizer().quantize(calibration).graph
}

@Test func balancedChannelsComputeTheSame() throws {
  let graph = try sample()
  let balanced = try #require(try balanced(graph, try inputs(10..<14)))
  let held = try uneven([2, 4, 8, 8], seed: 99)
  #expect(try quality(of: balanced, against: graph, held) > 1e10, "more than 100 dB")
  func weights(_ graph: Graph) -> [Tensor?] {
    ["a", "b", "third", "y"].map { name in
      graph.nodes.first { $0.name == name }?.inputs[1].flatMap { graph.constant($0) }
    }
  }
  #expect(
    zip(weights(balanced), weights(graph)).filter { $0 != $1 }.count == 4,
    "every layer's weights changed")
}

@Test func balancedChannelsLoseLessToIntegers() throws {
  let graph = try sample()
  let samples = try inputs(10..<14)
  let balanced = try #require(try balanced(graph, samples))
  let held = try uneven([2, 4, 8, 8], seed: 99)
  let plain = try quality(of: try quantized(graph, samples), against: graph, held)
  let better = try quality(of: try quantized(balanced, samples), against: graph, held)
  #expect(better > 1.5 * plain)
}

@Test func balanceDoesNotDependOnTheOrderOfSamples() throws {
  let graph = try sample()
  let samples = try inputs(10..<14)
  let forwards = try #require(try balanced(graph, samples))
  let backwards = try #require(try balanced(graph, samples.reversed()))
  #expect(GraphText.print(forwards) == GraphText.print(backwards))
  for (a, b) in zip(forwards.values, backwards.values) {
    #expect(a.fact.constant == b.fact.constant)
  }
}

@Test func channelsThatOthersReadKeepTheirRange() throws {
  // A softmax between two layers: no factor passes it.
  var graph = Graph()
  let x = try graph.addInput("x", TensorType(.float32, [.symbol("N"), 4]))
  let w = graph.addConstant(try uneven([8, 4], axis: 0, seed: 1), named: "w")
  let v = graph.addConstant(try uneven([3, 8], seed: 2), named: "v")
  let a = try graph.appendOne(Linear(transposeWeight: true), named: "a", to: [x, w])
  let shares = try graph.appendOne(Softmax(axis: -1), named: "shares", to: [a])
  try graph.addOutput(
    "y", try graph.appendOne(Linear(transposeWeight: true), named: "y", to: [shares, v]))
  #expect(try balanced(graph, [try uneven([5, 4], seed: 3)]) == nil)
}

@Test func normalisationsStartFactors() throws {
  var graph = Graph()
  let x = try graph.addInput("x", TensorType(.float32, [.symbol("N"), 8]))
  let scale = graph.addConstant(try uneven([8], axis: 0, seed: 1), named: "scale")
  let w = graph.addConstant(try uneven([3, 8], seed: 2), named: "w")
  let a = try graph.appendOne(LayerNormalization(), named: "a", to: [x, scale])
  try graph.addOutput(
    "y", try graph.appendOne(Linear(transposeWeight: true), named: "y", to: [a, w]))
  let samples = [try uneven([6, 8], seed: 3)]
  let balanced = try #require(try balanced(graph, samples))
  #expect(try quality(of: balanced, against: graph, samples[0]) > 1e10)
  var survey = ChannelSurvey(graph, .layers)
  try survey.observe(samples)
  #expect(try survey.balanced() == nil)
}

@Test func recordsCountProducts() throws {
  let graph = try sample()
  var calibration = Calibration(graph)
  for sample in try inputs(10..<12) { try calibration.observe([sample]) }
  let record = try Quantizer().quantize(calibration).record
  let counted = Dictionary(
    record.layers.map { ($0.name, $0.multiplyAccumulates) }, uniquingKeysWith: { $1 })
  // Two samples of two images of 8 × 8.
  #expect(counted["a"] == 256 * 8 * 4 * 9)
  #expect(counted["third"] == 256 * 8 * 9)
  #expect(counted["pooled"] == .some(nil))
}
