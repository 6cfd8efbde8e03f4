import Foundation
import ModelIR
import ModelQuantization
import TensorCore

/// How much of a model runs on integers.
package struct IntegerCoverage: Encodable, Sendable {
  /// Products that are summed, over the calibration samples: of layers on integers, and of all.
  let int8Macs: Int
  let macs: Int
  /// Numbers that the model was trained to have: those stored as integers, and all.
  let int8Weights: Int
  let weights: Int

  /// Of parts with their records; nil where nothing runs on integers.
  init?(_ parts: [ModelPart]) {
    var (macs, int8Macs, weights, int8Weights) = (0, 0, 0, 0)
    for part in parts {
      for layer in part.record?.layers ?? [] {
        let own = layer.multiplyAccumulates ?? 0
        macs += own
        if layer.floatReason == nil { int8Macs += own }
      }
      for graph in part.graph.withInner {
        for value in graph.values where value.producer == nil {
          guard let constant = value.fact.constant else { continue }
          let isQuantized = constant.quantization != nil
          guard isQuantized || constant.element.isFloatingPoint else { continue }
          weights += constant.count
          if isQuantized { int8Weights += constant.count }
        }
      }
    }
    guard int8Weights > 0 else { return nil }
    (self.macs, self.int8Macs) = (macs, int8Macs)
    (self.weights, self.int8Weights) = (weights, int8Weights)
  }

  /// "98.71 % of multiplications, 99.20 % of weights".
  var text: String {
    let shares = [(int8Macs, macs, "multiplications"), (int8Weights, weights, "weights")]
    return shares.filter { $0.1 > 0 }.map { part, whole, what in
      // Cut off rather than rounded: 100 % is all of it.
      let share = (10_000 * Double(part) / Double(whole)).rounded(.down) / 100
      return String(format: "%.2f %% of ", share) + what
    }.joined(separator: ", ")
  }
}
