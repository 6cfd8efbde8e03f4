import ModelIR
import ModelOperators
import TensorCore

/// How coarsely weights may be rounded (`Q57`): what their rounding adds to the sums of the layers of a graph has a
/// share of the power of what rounding the layers' results adds, the greater the more weights a layer has.
///
/// Bits are spent where they are heard: a channel of small weights, or one that reads what hardly changes, does with
/// fewer, and the bundle codes it shorter.
struct WeightNoise: Sendable {
  let share: Double
  /// How many weights a layer has on average.
  private let usual: Double

  /// - Parameter weights: how many each layer with integer weights has.
  init(share: Double, layers weights: [Int]) {
    self.share = share
    usual = Double(weights.reduce(0, +)) / Double(max(weights.count, 1))
  }

  /// The step below which the weights of a layer need not be rounded; nil where nothing is known of its operand.
  ///
  /// - Parameters:
  ///   - result: the step that what the layer gives has, or would have as integers.
  ///   - staysFloat: nothing else rounds what it gives.
  func step(
    of op: any WeightedOperator, _ weight: Tensor, reading operand: ChannelMeans, result: Float,
    staysFloat: Bool
  ) -> Double? {
    guard share > 0, usual > 0, let variance = operand.variance, variance > 0 else { return nil }
    let products = Double(weight.count) / op.sums(of: weight)
    let power = share * Double(weight.count) / usual
    return Double(result) * (staysFloat ? 0.25 : 1)
      * (power / (variance * max(products, 1))).squareRoot()
  }
}
