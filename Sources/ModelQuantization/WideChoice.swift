import ModelIR
import ModelOperators
import TensorCore

/// Which layers read 16 bits where nobody says (`Q65`): those that take most noise off for what the second product and
/// the splitting of the operand cost.
struct WideChoice {
  /// Of all products that the graph sums, how many that may cost.
  let share: Double
  /// Products that take as long as splitting an element, which passes over memory take.
  static let splitting = 400
  /// The least share of all layers' noise for which a layer is worth it that costs as great a share of the products,
  /// or a greater one.
  private static let least = 0.01

  /// Names of the layers of `calibration` that are chosen.
  ///
  /// - Parameters:
  ///   - forms: says which layers run on integers.
  ///   - ranges: what they read at 8 bits.
  ///   - passed: what layers make of noise.
  func layers(
    _ calibration: borrowing Calibration, _ forms: FormPlan, _ ranges: [ValueID: ValueRange],
    _ passed: OutputNoise
  ) -> Set<String> {
    let graph = calibration.graph
    var found: [(name: String, noise: Double, cost: Int)] = []
    var products = 0
    for (index, node) in graph.nodes.enumerated() {
      guard let own = calibration.multiplyAccumulates(of: index) else { continue }
      products += own
      guard forms.isInteger(index), node.op is any WeightedOperator, !forms.isWide(node),
        let x = node.inputs[0], let range = ranges[x], let operand = calibration.observer(of: x),
        let result = calibration.observer(of: node.outputs[0]), result.meanSquare > 0
      else { continue }
      let noise =
        operand.meanSquaredError(of: range) * passed.layers[index] / result.meanSquare
      found.append((node.name, noise, own + Self.splitting * operand.count))
    }
    let noise = found.reduce(0) { $0 + $1.noise }
    let limit = Int(Double(products) * share)
    var spent = 0
    var chosen: Set<String> = []
    let order = found.enumerated().sorted { a, b in
      let (p, q) = (a.element, b.element)
      let (left, right) = (p.noise * Double(q.cost), q.noise * Double(p.cost))
      return left == right ? a.offset < b.offset : left > right
    }
    for (_, layer) in order where spent + layer.cost <= limit {
      let least = min(Self.least, Double(layer.cost) / Double(products))
      guard layer.noise >= noise * least else { continue }
      spent += layer.cost
      chosen.insert(layer.name)
    }
    return chosen
  }
}

extension WeightedOperator {
  /// How many sums its weights take part in together, where each weight takes part in one.
  func sums(of weight: Tensor) -> Double {
    // A transposed convolution spreads each product over as many results as a stride has.
    let strides = (self as? TransposedConvolution)?.window.strides.reduce(1, *) ?? 1
    return Double(max(weight.shape[weightChannelAxis] * weightChannelRepeats * strides, 1))
  }
}
