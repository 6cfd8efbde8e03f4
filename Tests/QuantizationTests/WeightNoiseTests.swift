import ModelIR
import ModelOperators
import ModelRuntime
import TensorCore
import Testing

@testable import ModelQuantization

/// `Q57`
@Suite struct WeightNoiseTests {
  /// A layer that is heard ten times as much as the one before it, or not at all beyond an operator without a gradient.
  private func graph(deaf: Bool = false) throws -> Graph {
    var graph = Graph()
    var last = try graph.addInput("x", TensorType(.float32, [.symbol("N"), 48]))
    for (name, rows, seed) in [("a", 40, 5), ("b", 24, 6)] as [(String, Int, UInt64)] {
      let weight = graph.addConstant(
        noise(try Shape([rows, name == "a" ? 48 : 40]), seed: seed), named: "w\(name)")
      last = try graph.appendOne(Linear(transposeWeight: true), named: name, to: [last, weight])
      if name == "a" {
        last = try graph.appendOne(deaf ? Sign() : Tanh(), named: "between", to: [last])
      }
    }
    try graph.addOutput("y", last)
    return try Quantizer.prepared(graph)
  }

  private let samples = try? (20..<24).map { noise(try Shape([64, 48]), seed: $0) }

  private func study(
    _ graph: Graph
  ) throws -> (layers: [WeightSensitivity.Layer], noise: (Double) -> WeightNoise, integer: Graph) {
    var calibration = Calibration(graph)
    let samples = try #require(samples)
    for sample in samples { try calibration.observe([sample]) }
    let integer = try Quantizer(rounding: .nearest).quantize(calibration).graph
    let sensitivity = try WeightSensitivity(
      graph, integer: integer, samples: try probes(calibration, samples.map { [$0] }))
    let layers = sensitivity.layers
    let made = Dictionary(
      uniqueKeysWithValues: [1e-9, 0.1, 10].map { ($0, WeightNoise(share: $0, sensitivity)) })
    return (layers, { made[$0] ?? WeightNoise() }, integer)
  }

  private func squares(_ a: Graph, _ b: Graph) throws -> Double {
    try #require(samples).reduce(0) { sum, sample in
      let x = try ReferenceExecutor(a).run([sample])[0].doubles()
      let y = try ReferenceExecutor(b).run([sample])[0].doubles()
      return zip(x, y).reduce(sum) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    }
  }

  @Test func sharesAreWhatNoiseInWeightsAdds() throws {
    let graph = try graph()
    let (layers, _, integer) = try study(graph)
    #expect(layers.map(\.name) == ["a", "b"])
    try compare(layers, of: graph, with: try squares(graph, integer))
  }

  @Test func noiseBelowThatOfEightBitsCountsAsMuch() throws {
    let graph = try graph()
    var calibration = Calibration(graph)
    let samples = try #require(samples)
    for sample in samples { try calibration.observe([sample]) }
    let exact = try WeightSensitivity(
      graph, integer: graph, samples: try probes(calibration, samples.map { [$0] }))
    let signal = try samples.reduce(0) { sum, sample in
      try ReferenceExecutor(graph).run([sample])[0].doubles().reduce(sum) { $0 + $1 * $1 }
    }
    try compare(exact.layers, of: graph, with: signal / 65536)
  }

  /// Whether noise in the weights of each layer adds what is foretold to noise of the power `usual`.
  private func compare(
    _ layers: [WeightSensitivity.Layer], of graph: Graph, with usual: Double
  ) throws {
    for layer in layers {
      let node = try #require(graph.nodes.first { $0.name == layer.name })
      let id = try #require(node.inputs[1])
      let weight = try #require(graph.constant(id))
      // Evenly spread in ±0.001.
      let errors = noise(weight.shape, seed: 77).floats()
      let noisy = zip(weight.floats(), errors).map { $0 + $1 * 1e-3 }
      let changed = try graph.rebuilt(constants: [id: Tensor(weight.shape, noisy)]) {
        (_, _, _) throws(ModelError) in nil
      }
      let expected = layer.shares.reduce(0, +) * 1e-6 / 3
      let found = try squares(graph, changed) / usual
      #expect(abs(found / expected - 1) < 0.4, "\(layer.name): \(found), \(expected) foretold")
    }
  }

  @Test func threadsDoNotMatter() throws {
    let graph = try graph()
    let samples = try #require(samples)
    var calibration = Calibration(graph, threads: 2)
    let kept = try calibration.observe(samples: samples.map { [$0] }, keeping: [1, 3])
    #expect(kept.keys.sorted() == [1, 3])
    let integer = try Quantizer(rounding: .nearest).quantize(calibration).graph
    try calibration.observe(samples: [])
    #expect(calibration.samples == samples.count)
    let probed = try probes(calibration, samples.map { [$0] })
    var runner = ModelRunner(graph, options: PlanOptions(profile: .exact))
    for (place, probe) in probed.enumerated() {
      #expect(try probe.outputs == runner.run(probe.inputs))
      #expect(kept[place] == nil || kept[place] == probe.outputs)
    }
    func shares(_ threads: Int) throws -> [[Double]] {
      try WeightSensitivity(graph, integer: integer, samples: probed, threads: threads)
        .layers.map(\.shares)
    }
    let alone = try shares(1)
    #expect(alone.count == 2)
    for threads in [2, 3, 9] { #expect(try shares(threads) == alone) }
    #expect(try WeightSensitivity(graph, integer: integer, samples: []).layers.isEmpty)
  }

  @Test func everyWeightAddsAsMuch() throws {
    let (layers, noise, _) = try study(try graph())
    var least = Double.infinity
    var growth = 0.0
    for layer in layers {
      let steps = try #require(noise(0.1).steps[layer.name])
      for (channel, step) in steps.enumerated() {
        let finest = layer.finest[channel]
        let each = layer.shares[channel] * step * step / 12 / Double(layer.count)
        growth += layer.shares[channel] * (step * step - finest * finest) / 12
        if step > finest * 1.0001 { least = min(least, each) }
      }
    }
    for layer in layers {
      for (channel, step) in (noise(0.1).steps[layer.name] ?? []).enumerated()
      where step > layer.finest[channel] * 1.0001 {
        let each = layer.shares[channel] * step * step / 12 / Double(layer.count)
        #expect(abs(each / least - 1) < 1e-6)
      }
      #expect(zip(noise(1e-9).steps[layer.name] ?? [], layer.finest).allSatisfy { $0 < $1 * 1.001 })
      #expect(
        zip(noise(10).steps[layer.name] ?? [], noise(0.1).steps[layer.name] ?? [])
          .allSatisfy { $0 >= $1 })
    }
    #expect(growth <= 0.1 && growth > 0.099)
  }

  @Test func whatHasNoGradientIsLeftAlone() throws {
    let (layers, noise, _) = try study(try graph(deaf: true))
    #expect(layers.map(\.name) == ["b"])
    #expect(noise(0.1).steps.keys.sorted() == ["b"])
  }

  @Test func stepsSetTheScales() throws {
    let graph = try graph()
    var calibration = Calibration(graph)
    for sample in try #require(samples) { try calibration.observe([sample]) }
    var quantizer = Quantizer(rounding: .nearest)
    let (_, noise, _) = try study(graph)
    quantizer.noise = noise(10)
    let made = try quantizer.quantize(calibration)
    #expect(made.record.weightNoise == 10)
    let steps = try #require(noise(10).steps["b"])
    let stored = try #require(
      made.graph.values.compactMap(\.fact.constant)
        .first { $0.element == .int8 && $0.shape[0] == 24 })
    let scales = try #require(stored.quantization?.scales)
    for (scale, step) in zip(scales, steps) {
      #expect(scale >= Float(step) && scale < Float(step) * (1 + 0x1p-7))
      #expect(scale.bitPattern & 0xFFFF == 0)
    }
  }
}
