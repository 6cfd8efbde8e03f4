import ModelIR
import ModelOperators
import TensorCore

/// Which values are added on in float32 where nobody says (`Q71`): one after the other, what takes most noise off the outputs for
/// what it costs first, until the rounding of the others adds little beside what layers add that round what they read.
///
/// A chain of sums carries the rounding of each to its end, where layers between would have made it less.
struct SumChoice {
  /// Of all products that the graph sums, how many that may cost.
  let share: Double
  /// What the noise of sums may be, as a share of that of layers.
  private static let rest = 0.1

  /// A value that integer nodes add to their sums.
  private struct Sum {
    let id: ValueID
    /// What its rounding there adds to the outputs.
    let noise: Double
    let cost: Int
  }

  /// - Parameters:
  ///   - forms: says which nodes run on integers.
  ///   - ranges: of values at eight bits.
  ///   - noise: what reaches the outputs.
  func values(
    _ calibration: borrowing Calibration, _ forms: FormPlan, _ ranges: [ValueID: ValueRange],
    _ noise: OutputNoise
  ) -> Set<ValueID> {
    let graph = calibration.graph
    func rounding(_ id: ValueID) -> Double {
      guard let range = ranges[id] else { return 0 }
      return calibration.observer(of: id)?.meanSquaredError(of: range) ?? 0
    }
    var (layers, products) = (0.0, 0)
    var sums: [Sum] = []
    for (index, node) in graph.nodes.enumerated() {
      products += calibration.multiplyAccumulates(of: index) ?? 0
      guard forms.isInteger(index), !forms.isWide(node) else { continue }
      let value = node.outputs[0]
      if node.op is any WeightedOperator, let x = node.inputs[0] {
        layers += rounding(x) * noise.layers[index] * noise[value]
      } else if !(node.op is Add) {
        continue
      }
      let added = forms.readers(of: value).filter { forms.adds($0, value) }
        .reduce(0) { $0 + noise[graph.nodes[$1].outputs[0]] }
      guard added > 0, let observer = calibration.observer(of: value) else { continue }
      sums.append(
        Sum(
          id: value, noise: rounding(value) * added,
          cost: observer.count * Self.cost(observer.count / max(calibration.samples, 1))))
    }
    let order = sums.sorted { a, b in
      let (left, right) = (a.noise * Double(b.cost), b.noise * Double(a.cost))
      return left == right ? a.id < b.id : left > right
    }
    var rest = sums.reduce(0) { $0 + $1.noise }
    var left = Int(Double(products) * share)
    var chosen: Set<ValueID> = []
    for sum in order where rest > Self.rest * layers && sum.cost <= left {
      chosen.insert(sum.id)
      rest -= sum.noise
      left -= sum.cost
    }
    return chosen
  }

  /// Products that take as long as passing an element on in float32 and not in int8, where a sample has so many of them: caches hold
  /// a mebibyte.
  private static func cost(_ elements: Int) -> Int { elements <= 1 << 18 ? 2 : 100 }
}
