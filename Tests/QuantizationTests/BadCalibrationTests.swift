import ModelIR
import ModelOperators
import ModelQuantization
import ModelRuntime
import TensorCore
import Testing

/// x → conv (weights and bias as given) → conv.
private func sample(_ weights: [Float], bias: [Float]) throws -> Graph {
  var graph = Graph()
  let x = try graph.addInput("x", TensorType(.float32, [.symbol("N"), 2, 4, 4]))
  let w = graph.addConstant(Tensor(try Shape([2, 2, 1, 1]), weights), named: "w")
  let b = graph.addConstant(Tensor(vector: bias), named: "b")
  let v = graph.addConstant(
    Tensor(try Shape([2, 2, 1, 1]), [0.5, -0.25, 1, 0.75] as [Float]), named: "v")
  let a = try graph.appendOne(Convolution(epilogue: Epilogue(.relu)), named: "a", to: [x, w, b])
  try graph.addOutput("y", try graph.appendOne(Convolution(), named: "y", to: [a, v]))
  return graph
}

private let plain: [Float] = [1, -1, 0.5, 0.25]

private func image(_ value: (Int) -> Float) throws -> Tensor {
  Tensor(try Shape([1, 2, 4, 4]), (0..<32).map(value))
}

/// The int8 form and the record, after the way that conversions go: surveyed, balanced, calibrated.
private func quantized(
  _ graph: Graph, _ samples: [Tensor]
) throws -> (graph: Graph, record: QuantizationRecord) {
  var survey = ChannelSurvey(graph, .everywhere)
  for sample in samples { try survey.observe([sample]) }
  var calibration = Calibration(try survey.balanced() ?? graph)
  for sample in samples { try calibration.observe([sample]) }
  return try Quantizer().quantize(calibration)
}

/// The greatest difference of the two forms on `x`.
private func difference(_ integer: Graph, _ float: Graph, _ x: Tensor) throws -> Float {
  let expected = try ReferenceExecutor(float).run([x])[0].floats()
  var runner = ModelRunner(integer)
  return zip(try runner.run([x])[0].floats(), expected).map { abs($0 - $1) }.max() ?? 0
}

/// Why the first layer stays float, or the refusal of the whole graph.
private func refusal(_ graph: Graph) throws -> String? {
  do {
    let (_, record) = try quantized(graph, [try image { Float($0) / 16 - 1 }])
    return record.layers.first { $0.name == "a" }?.floatReason
  } catch let error as ModelError where error.code == .notQuantizable {
    return error.message
  }
}

@Test(arguments: [Float.nan, .infinity, -.infinity])
func weightsThatAreNotFiniteAreNoIntegers(_ value: Float) throws {
  let reason = try refusal(try sample([1, value, 0.5, 0.25], bias: [0, 0]))
  #expect(
    reason?.contains("infinite or NaN") == true || reason == "no finite value was observed")
}

@Test func biasesThatAreNotFiniteAreNoIntegers() throws {
  #expect(try refusal(try sample(plain, bias: [0, .nan])) != nil)
}

@Test(arguments: [Float(0), 3, -2])
func constantActivationsAreExact(_ value: Float) throws {
  let graph = try sample(plain, bias: [0.5, 0.25])
  let x = try image { _ in value }
  let (integer, _) = try quantized(graph, [x])
  #expect(try difference(integer, graph, x) < 0.05)
}

@Test func calibrationWithoutSamplesIsRefused() throws {
  let error = #expect(throws: ModelError.self) {
    try quantized(try sample(plain, bias: [0, 0]), [])
  }
  #expect(error?.code == .missingInput)
}

@Test func oneSampleIsEnough() throws {
  let graph = try sample(plain, bias: [0.5, 0.25])
  let x = try image { Float($0 % 7) / 4 - 0.5 }
  let (integer, record) = try quantized(graph, [x])
  #expect(record.samples == 1)
  #expect(try difference(integer, graph, x) < 0.05)
}

@Test func channelsOfZerosStayZero() throws {
  let graph = try sample([1, -1, 0, 0], bias: [0, 0])
  let x = try image { Float($0 % 5) / 4 - 0.5 }
  let (integer, record) = try quantized(graph, [x])
  #expect(record.layers.allSatisfy { $0.floatReason == nil })
  #expect(try difference(integer, graph, x) < 0.05)
}

@Test(arguments: [Float(1e-40), 1e-38, 1e-30])
func tinyNumbersKeepValidScales(_ size: Float) throws {
  let graph = try sample(plain.map { $0 * size }, bias: [0, 0])
  let x = try image { (Float($0 % 5) / 4 - 0.5) * size }
  let (integer, _) = try quantized(graph, [x])
  for value in integer.values {
    let type = value.fact.type
    guard type.element == .int8, let scales = type.quantization?.scales else { continue }
    #expect(scales.allSatisfy { $0.isNormal && $0 > 0 })
  }
  #expect(try difference(integer, graph, x) < size)
}

@Test func samplesOfNothingFiniteAreRefused() throws {
  let graph = try sample(plain, bias: [0, 0])
  #expect(throws: ModelError.self) { try quantized(graph, [try image { _ in .nan }]) }
}
