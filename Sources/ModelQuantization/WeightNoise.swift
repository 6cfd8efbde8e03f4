import ModelIR
import TensorCore

/// How coarsely weights may be rounded (`Q57`): so that the noise of the outputs grows by a share of what it is where weights are as
/// fine as eight bits allow.
///
/// Each weight adds as much, for that is where another bit buys the same everywhere. Bits are spent where they are heard:
/// a channel that hardly reaches an output does with fewer, and the bundle codes it shorter.
package struct WeightNoise: Sendable {
  package let share: Double
  /// By names of layers, the steps below which the weights of each channel need not be rounded.
  let steps: [String: [Double]]

  /// Eight bits for every weight.
  package init() { (share, steps) = (0, [:]) }

  package init(share: Double, _ sensitivity: WeightSensitivity) {
    self.share = share
    // What no sample made heard is not known to be deaf.
    let layers = sensitivity.layers.filter { layer in
      layer.shares.allSatisfy { $0 > 0 && $0.isFinite } && layer.finest.allSatisfy { $0.isFinite }
    }
    /// The steps with which each weight adds `each`.
    func steps(_ layer: WeightSensitivity.Layer, _ each: Double) -> [Double] {
      layer.shares.indices.map { channel in
        let step = (12 * each * Double(layer.count) / layer.shares[channel]).squareRoot()
        return max(layer.finest[channel], min(step, layer.magnitudes[channel] / 2))
      }
    }
    /// By what share the noise grows then.
    func growth(_ each: Double) -> Double {
      layers.reduce(0) { sum, layer in
        let coarse = steps(layer, each)
        return layer.shares.indices.reduce(sum) { sum, channel in
          let (step, finest) = (coarse[channel], layer.finest[channel])
          return sum + layer.shares[channel] * (step * step - finest * finest) / 12
        }
      }
    }
    let weights = layers.reduce(0) { $0 + $1.count * $1.shares.count }
    guard share > 0, weights > 0 else {
      self.steps = [:]
      return
    }
    var (least, most) = (0.0, share / Double(weights))
    while growth(most) < share, most < 1 { most *= 2 }
    for _ in 0..<40 {
      let middle = (least + most) / 2
      if growth(middle) <= share { least = middle } else { most = middle }
    }
    self.steps = Dictionary(
      layers.map { ($0.name, steps($0, least)) }, uniquingKeysWith: { $1 })
  }
}
