import ModelIR
import ModelOperators
import TensorCore
import Testing

@testable import ModelQuantization

@Suite struct SharedWeightsTests {
  /// Three layers, of which the first and the last have the same weights.
  private func graph() throws -> Graph {
    var graph = Graph()
    var last = try graph.addInput("x", TensorType(.float32, [.symbol("N"), 32]))
    let shape = try Shape([32, 32])
    let shared = graph.addConstant(noise(shape, seed: 5), named: "shared")
    let own = graph.addConstant(noise(shape, seed: 6), named: "own")
    for (name, weight) in [("a", shared), ("b", own), ("c", shared)] {
      last = try graph.appendOne(Linear(transposeWeight: true), named: name, to: [last, weight])
      last = try graph.appendOne(Tanh(), named: "after \(name)", to: [last])
    }
    try graph.addOutput("y", last)
    return try Quantizer.prepared(graph)
  }

  @Test func theFirstLayerStandsForAll() throws {
    let graph = try graph()
    let shared = SharedWeights(graph)
    let layers = graph.nodes.filter { $0.op is any WeightedOperator }
    #expect(layers.map { shared.firstLayer(like: $0) } == ["a", "b", "a"])
  }

  /// A tensor that is read along other axes has other channels.
  @Test func channelsAlongAnotherAxisAreNotShared() throws {
    var graph = Graph()
    var last = try graph.addInput("x", TensorType(.float32, [4, 16]))
    let weight = graph.addConstant(noise(try Shape([16, 16]), seed: 5), named: "w")
    for (name, transposed) in [("a", false), ("b", true)] {
      last = try graph.appendOne(
        Linear(transposeWeight: transposed), named: name, to: [last, weight])
    }
    let shared = SharedWeights(graph)
    #expect(graph.nodes.map { shared.firstLayer(like: $0) } == ["a", "b"])
  }

  /// What is heard of either layer counts, and both get one rounding.
  @Test func sharedWeightsAreRoundedOnce() throws {
    let graph = try graph()
    let samples = try (20..<24).map { [noise(try Shape([64, 32]), seed: $0)] }
    var calibration = Calibration(graph, watchesOperands: true)
    try calibration.observe(samples: samples)
    #expect(Set(calibration.sketch.moments?.keys.sorted() ?? []) == ["a", "b"])
    var quantizer = Quantizer(rounding: .corrected)
    let sensitivity = try WeightSensitivity(
      graph, integer: quantizer.quantize(calibration).graph,
      samples: probes(calibration, samples))
    quantizer.rounding = .adaptive
    quantizer.noise = WeightNoise(share: 0.25, sensitivity)
    #expect(quantizer.noise.steps.keys.sorted() == ["a", "b"])
    let made = try quantizer.quantize(calibration).graph
    let weights = try made.nodes.filter { $0.op is any WeightedOperator }.map {
      try #require($0.inputs[1].flatMap { made.constant($0) })
    }
    #expect(weights.count == 3)
    #expect(weights[0] == weights[2] && weights[0] != weights[1])
  }
}
