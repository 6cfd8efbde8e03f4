import ModelIR
import ModelOperators
import ModelQuantization
import ModelRuntime
import TensorCore
import Testing

/// Weights of fewer bits than eight (`Q68`).
@Suite struct WeightGridTests {
  /// A linear layer of 40 inputs on noise.
  private func layer() throws -> Graph {
    var graph = Graph()
    let x = try graph.addInput("x", TensorType(.float32, [.symbol("N"), 40]))
    let weight = graph.addConstant(noise(try Shape([40, 6]), seed: 3), named: "w")
    try graph.addOutput("y", try graph.appendOne(Linear(), named: "a", to: [x, weight]))
    return graph
  }

  private func quantized(_ grid: WeightGrid?) throws -> Graph {
    var calibration = Calibration(try layer())
    for seed in 10..<14 {
      try calibration.observe([noise(try Shape([8, 40]), seed: UInt64(seed))])
    }
    var quantizer = Quantizer()
    quantizer.grid = grid
    return try quantizer.quantize(calibration).graph
  }

  private func weights(_ graph: Graph) throws -> Tensor {
    try #require(graph.values.compactMap(\.fact.constant).first { $0.element == .int8 })
  }

  @Test(arguments: [2, 3, 4, 5, 6, 7])
  func groupsAreMultiplesOfWhatFewBitsHave(bits: Int) throws {
    let grid = try #require(try WeightGrid(bits: bits, group: 16))
    let stored = try weights(try quantized(grid))
    let most = 1 << (bits - 1) - 1
    let axis = try #require(stored.quantization?.axis)
    let integers = stored.withElements(of: Int8.self) { Array($0) }
    for channel in 0..<6 {
      let row = axis == 0 ? (0..<40).map { channel * 40 + $0 } : (0..<40).map { $0 * 6 + channel }
      for start in stride(from: 0, to: 40, by: 16) {
        let group = row[start..<min(start + 16, 40)].map { Int(integers[$0]) }
        let fits = (1...127 / most).contains { factor in
          group.allSatisfy { $0 % factor == 0 && abs($0 / factor) <= most }
        }
        #expect(fits, "\(group)")
      }
    }
  }

  @Test func moreBitsLoseLess() throws {
    let x = noise(try Shape([8, 40]), seed: 99)
    var last = 0.0
    for bits in [2, 3, 4, 6] {
      let graph = try quantized(try WeightGrid(bits: bits, group: 16))
      let quality = try quality(of: graph, against: try layer(), x)
      #expect(quality > 2 * last, "\(bits) bits")
      last = quality
      var runner = ModelRunner(graph)
      #expect(try runner.run([x]) == ReferenceExecutor(graph).run([x]))
    }
    #expect(last < (try quality(of: try quantized(nil), against: try layer(), x)))
  }

  @Test func plansGiveEightBitsToThoseWhoNeedThem() throws {
    var calibration = Calibration(try layer())
    let x = noise(try Shape([8, 40]), seed: 10)
    try calibration.observe([x])
    var quantizer = Quantizer()
    quantizer.grid = try WeightGrid(bits: 4, group: 32)
    let study = try PlanStudy(quantizer, calibration, [[x]]) { (tensors) throws(ModelError) in
      tensors.reduce(0) { $0 + $1.byteCount }
    }
    for (decibels, form) in [(10.0, LayerForm.narrow), (35, .int8), (48, .wide), (150, .float32)] {
      var targets = PlanTargets()
      targets.qualities = [.signalToNoise(of: "y", output: 0, atLeast: decibels)]
      let plan = try study.plan(quantizer, calibration, targets, spare: 0).plan
      #expect(plan.layers.map(\.form) == [form], "\(decibels) dB")
    }
  }

  @Test func eightBitsNeedNoGrid() throws {
    #expect(try WeightGrid(bits: 8, group: 32) == nil)
  }

  @Test(arguments: [(0, 32), (1, 32), (9, 32), (-4, 32), (4, 0), (4, 20), (4, -16), (4, 256)])
  func whatNoWeightsHaveIsRefused(bits: Int, group: Int) {
    let error = #expect(throws: ModelError.self) { try WeightGrid(bits: bits, group: group) }
    #expect(error?.code == .usage)
    #expect(error?.message.hasPrefix("--weight-") == true)
  }
}
