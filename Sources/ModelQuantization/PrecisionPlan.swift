import Foundation
import ModelIR
import ModelOperators
import ModelRuntime
import TensorCore

/// Which layers read 16 bits so that a signal-to-noise ratio is reached, and what each of them costs alone
/// (`Q60`).
package struct PrecisionPlan: Sendable, Codable, Hashable {
  /// A layer that multiplies weights; its noise is that of the graph's worst output while everything else is float,
  /// as a share of the signal.
  package struct Layer: Sendable, Codable, Hashable {
    package let name: String
    package let noiseAt8: Double
    package let noiseAt16: Double
    package fileprivate(set) var bits: Int
  }

  package fileprivate(set) var layers: [Layer]
  /// In dB: what was asked for, what the layers' noises add up to, and what the whole graph has.
  package let demanded: Double
  package fileprivate(set) var predicted: Double
  package fileprivate(set) var achieved: Double
}

extension Quantizer {
  /// This quantizer with the layers that a plan for `samples` has read 16 bits, and the plan.
  ///
  /// - Parameters:
  ///   - samples: what is measured on: a tensor for each graph input.
  ///   - decibels: the least signal-to-noise ratio of any output over all samples.
  package func planned(
    _ calibration: borrowing Calibration, _ samples: [[Tensor]], atLeast decibels: Double
  ) throws(ModelError) -> (quantizer: Quantizer, plan: PrecisionPlan) {
    let study = try NoiseStudy(calibration.graph, samples)
    let nodes = calibration.graph.nodes
    let record = try quantize(calibration).record
    var layers: [PrecisionPlan.Layer] = []
    for (node, layer) in zip(nodes, record.layers) where layer.floatReason == nil {
      guard node.op is any WeightedOperator || node.op is any IntegerRecurrentOperator else {
        continue
      }
      var alone = self
      alone.keptFloat.formUnion(nodes.map(\.name).filter { $0 != node.name })
      let eight = try study.noise(of: alone.quantize(calibration).graph)
      alone.wide = [node.name]
      let sixteen =
        node.op is any WeightedOperator
        ? try study.noise(of: alone.quantize(calibration).graph) : eight
      layers.append(.init(name: node.name, noiseAt8: eight, noiseAt16: sixteen, bits: 8))
    }
    let limit = pow(10, -decibels / 10)
    var predicted = layers.reduce(0) { $0 + $1.noiseAt8 }
    let order = layers.indices.filter { layers[$0].noiseAt16 < layers[$0].noiseAt8 }.sorted {
      let (p, q) = (layers[$0], layers[$1])
      return (p.noiseAt8 - p.noiseAt16, $1) > (q.noiseAt8 - q.noiseAt16, $0)
    }
    var made = self
    var achieved = try study.noise(of: made.quantize(calibration).graph)
    var next = 0
    // What the sum of noises misses of the whole graph's is made up for by asking for less.
    var asked = limit
    while achieved > limit, next < order.count {
      repeat {
        let index = order[next]
        next += 1
        layers[index].bits = 16
        made.wide.insert(layers[index].name)
        predicted += layers[index].noiseAt16 - layers[index].noiseAt8
      } while predicted > asked && next < order.count
      achieved = try study.noise(of: made.quantize(calibration).graph)
      asked *= min(limit / max(achieved, .leastNormalMagnitude), 0.5)
    }
    func ratio(_ noise: Double) -> Double { -10 * log10(max(noise, 1e-30)) }
    return (
      made,
      PrecisionPlan(
        layers: layers, demanded: decibels, predicted: ratio(predicted), achieved: ratio(achieved))
    )
  }
}

/// The results of a float graph, with which those of its integer forms are compared.
private struct NoiseStudy {
  let samples: [[Tensor]]
  let expected: [[Tensor]]

  init(_ graph: Graph, _ samples: [[Tensor]]) throws(ModelError) {
    guard !samples.isEmpty else {
      throw ModelError(.missingInput, "Q60: a plan needs at least one sample")
    }
    self.samples = samples
    var runner = ModelRunner(graph, options: PlanOptions(profile: .exact))
    expected = try samples.map { (sample) throws(ModelError) in try runner.run(sample) }
  }

  /// The greatest share of noise in an output's power.
  func noise(of graph: Graph) throws(ModelError) -> Double {
    var runner = ModelRunner(graph, options: PlanOptions(profile: .exact))
    var sums = graph.outputs.map { _ in (signal: 0.0, noise: 0.0) }
    for (sample, expected) in zip(samples, expected) {
      for (index, made) in try runner.run(sample).enumerated() {
        guard made.element == .float32 else { continue }
        for (a, b) in zip(made.floats(), expected[index].floats()) where b.isFinite {
          sums[index].signal += Double(b) * Double(b)
          sums[index].noise += (Double(a) - Double(b)) * (Double(a) - Double(b))
        }
      }
    }
    return sums.map { $0.signal > 0 ? $0.noise / $0.signal : 0 }.max() ?? 0
  }
}
