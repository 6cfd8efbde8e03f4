import ModelIR
import ModelOperators
import ModelQuantization
import TensorCore
import Testing

/// Layers "first" and "second" lead to a memory, "beside" of `width` outputs does not.
private func addressed(beside width: Int) throws -> Graph {
  var graph = Graph()
  let x = try graph.addInput("x", TensorType(.float32, [.symbol("N"), 8]))
  func layer(_ name: String, _ operand: ValueID, _ outputs: Int) throws -> ValueID {
    let weight = graph.addConstant(
      noise(try Shape([outputs, 8]), seed: 3), named: "\(name).weight")
    return try graph.appendOne(Linear(transposeWeight: true), named: name, to: [operand, weight])
  }
  let first = try graph.appendOne(Relu(), named: "relu", to: [try layer("first", x, 8)])
  let query = try layer("second", first, 8)
  let keys = graph.addConstant(noise(try Shape([4, 8]), seed: 5), named: "keys")
  let values = graph.addConstant(noise(try Shape([4, 2]), seed: 6), named: "values")
  let read = try graph.append(MemoryRead(), named: "memory", to: [query, keys, values])
  try graph.addOutput("address", read[1])
  try graph.addOutput("read", read[0])
  try graph.addOutput("beside", try layer("beside", x, width))
  return graph
}

private func record(beside width: Int, share: Double) throws -> QuantizationRecord {
  var calibration = Calibration(try addressed(beside: width))
  for seed in 1..<4 { try calibration.observe([noise(try Shape([2, 8]), seed: UInt64(seed))]) }
  var quantizer = Quantizer()
  quantizer.wideShare = share
  return try quantizer.quantize(calibration).record
}

/// 128 of 8 · width + 168 products of a row, the memory's 40 among them, are a share of 0.5 at most.
@Test(arguments: [(10, false), (11, true), (40, true)])
func layersThatLeadToAMemoryReadSixteenBits(width: Int, isWide: Bool) throws {
  let layers = try record(beside: width, share: 0.1).layers
  for name in ["first", "second"] {
    let layer = try #require(layers.first { $0.name == name })
    #expect(layer.wideReason == (isWide ? .address : nil), "\(name) beside \(width)")
    #expect(layer.activationBits == (isWide ? 16 : nil))
  }
  #expect(layers.first { $0.name == "beside" }?.wideReason == nil)
  #expect(try record(beside: width, share: 0).layers.allSatisfy { $0.wideReason == nil })
}

/// Keys are whole numbers of 16 bits, whose steps a bundle stores with eight significant ones.
@Test func keysHaveSixteenBits() throws {
  var calibration = Calibration(try addressed(beside: 40))
  try calibration.observe([noise(try Shape([2, 8]), seed: 1)])
  let graph = try Quantizer().quantize(calibration).graph
  let node = try #require(graph.nodes.first { $0.op is MemoryRead })
  let keys = try #require(node.inputs[1].flatMap { graph.constant($0) })
  #expect(keys.element == .int16)
  #expect(keys == Quantizer.weights(noise(try Shape([4, 8]), seed: 5), axis: 0, as: .int16))
  let exact = noise(try Shape([4, 8]), seed: 5).doubles()
  for slot in 0..<4 {
    let row = slot * 8..<(slot + 1) * 8
    let greatest = exact[row].map(abs).max() ?? 0
    let error = row.map { abs(keys.dequantized().doubles()[$0] - exact[$0]) }.max() ?? 1
    #expect(error <= greatest / 32_767 * (1 + 1 / 128.0) / 2 * (1 + 1e-6))
    #expect(keys.integers()[row].map(abs).max() ?? 0 > 32_767 * 126 / 127)
  }
  let zeros = Quantizer.weights(Tensor(try Shape([1, 2]), [0, 0] as [Float]), axis: 0, as: .int16)
  #expect(zeros.integers() == [0, 0] && zeros.quantization?.scales == [1])
}
