import ModelIR
import ModelOperators
import ModelQuantization
import ModelRuntime
import TensorCore
import Testing

/// x → conv + prelu → conv + residual + relu, all on weights that int8 represents exactly.
func twoLayers() throws -> Graph {
  var graph = Graph()
  let x = try graph.addInput("x", TensorType(.float32, [.symbol("N"), 4, 6, 6]))
  func constant(_ dimensions: [Int], _ step: Int, by divisor: Float) throws -> ValueID {
    let shape = try Shape(dimensions)
    // The first of each row is the greatest, so that the scale is 1 by `divisor`.
    let row = shape.count(1..<shape.rank)
    let values = (0..<shape.count).map { index in
      Float(index % row == 0 ? 127 : index * step % 255 - 127) / divisor
    }
    return graph.addConstant(Tensor(shape, values), named: "c\(step)")
  }
  let same = Window(pads: [1, 1, 1, 1])
  let a = try graph.appendOne(
    Convolution(window: same, epilogue: Epilogue(.prelu)), named: "a",
    to: [
      x, constant([4, 4, 3, 3], 1, by: 128), constant([4], 31, by: 128), nil,
      constant([4], 77, by: 128),
    ])
  let b = try graph.appendOne(
    Convolution(window: same, epilogue: Epilogue(.relu)), named: "b",
    to: [a, constant([4, 4, 3, 3], 7, by: 128), nil, a])
  try graph.addOutput("y", b)
  return graph
}

func noise(_ seed: UInt64) throws -> Tensor {
  noise(try Shape([2, 4, 6, 6]), seed: seed)
}

private func quantized(wide: Set<String>) throws -> (graph: Graph, record: QuantizationRecord) {
  var calibration = Calibration(try twoLayers())
  for seed in 10..<14 { try calibration.observe([try noise(UInt64(seed))]) }
  var quantizer = Quantizer(rounding: .nearest)
  quantizer.wide = wide
  return try quantizer.quantize(calibration)
}

@Test func sixteenBitsLoseAHundredthOfWhatEightDo() throws {
  let eight = try quality(
    of: try quantized(wide: []).graph, against: try twoLayers(), try noise(99))
  let (graph, record) = try quantized(wide: ["a", "b"])
  #expect(
    try quality(of: graph, against: try twoLayers(), try noise(99)) > 100 * eight, "20 dB and more")
  #expect(record.layers.map(\.activationBits) == [16, 16])
  #expect(record.layers.allSatisfy { $0.floatReason == nil })
}

@Test func plannedWideLayersEqualTheReference() throws {
  let graph = try quantized(wide: ["a"]).graph
  var runner = ModelRunner(graph)
  let x = try noise(7)
  #expect(try runner.run([x]) == ReferenceExecutor(graph).run([x]))
  #expect(graph.nodes.count { $0.op is Convolution } == 3)
  let steps = try runner.profile([x]).filter { $0.operatorName == "Conv" }
  #expect(steps.map(\.name) == ["a", "b"], "both halves read weights once")
}

@Test func wideLayersMultiplyIntegersOnly() throws {
  let graph = try quantized(wide: ["a", "b"]).graph
  for node in graph.nodes where node.op is Convolution {
    let weight = try #require(node.inputs[1])
    let x = try #require(node.inputs[0])
    #expect(graph.type(weight).element == .int8)
    #expect(graph.type(x).element == .int8)
  }
  #expect(graph.nodes.count { $0.op is Convolution } == 4)
}

@Test func layersReadSixteenBitsWithinAShareOfTheProducts() throws {
  var calibration = Calibration(try twoLayers())
  for seed in 10..<14 { try calibration.observe([try noise(UInt64(seed))]) }
  // Both layers sum 5184 products of each image, of 144 elements: each costs 12.1 of both layers' 10368 products by 2.
  for (share, count) in [(0.0, 0), (6.05, 0), (6.06, 1), (12.1, 1), (12.12, 2)] {
    var quantizer = Quantizer(rounding: .nearest)
    quantizer.wideShare = share
    let layers = try quantizer.quantize(calibration).record.layers
    #expect(layers.count { $0.activationBits == 16 } == count, "share \(share)")
  }
  var quantizer = Quantizer(rounding: .nearest)
  quantizer.wideShare = 6.1
  #expect(
    try quality(of: quantizer.quantize(calibration).graph, against: try twoLayers(), try noise(99))
      > quality(of: try quantized(wide: []).graph, against: try twoLayers(), try noise(99)))
}
