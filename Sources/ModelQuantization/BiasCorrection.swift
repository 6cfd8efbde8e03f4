import ModelIR
import ModelOperators
import TensorCore

/// Takes off a layer's bias what rounded weights add to its sums on average (`Q56`): the mean of the layer without
/// bias, of the weights' rounding errors, on an image of the operand's channel means.
struct BiasCorrection {
  let op: any WeightedOperator
  /// The float weights, and the int8 ones that stand for them.
  let weight: Tensor
  let stored: Tensor
  let means: ChannelMeans

  /// The corrected bias; nil where the means are not known.
  func corrected(_ bias: Tensor?) throws(ModelError) -> Tensor? {
    guard let values = means.means, let rest = means.shape, weight.element == .float32 else {
      return nil
    }
    // A linear layer treats all rows alike.
    let shape = try Shape([1] + (op is Linear ? [values.count] : rest))
    let axis = ChannelMeans.axis(of: op, rank: shape.rank)
    guard axis < shape.rank, shape[axis] == values.count, weight.shape.rank >= 2 else { return nil }
    let sums = meanSums(values.map { Double($0) }, use: try op.tapUse(shape, weight.shape))
    let old = bias?.floats() ?? [Float](repeating: 0, count: sums.count)
    guard old.count == sums.count, sums.allSatisfy(\.isFinite) else { return nil }
    return Tensor(
      try Shape([sums.count]), zip(old, sums).map { Float(Double($0) - $1) })
  }

  /// What the errors of the weights add to each channel of the result.
  ///
  /// - Parameters:
  ///   - values: one of each channel of the operand.
  ///   - use: of each tap.
  private func meanSums(_ values: [Double], use: [Double]) -> [Double] {
    let (rows, columns, taps) = (weight.shape[0], weight.shape[1], use.count)
    let outputIsFirst = op.weightChannelAxis == 0
    // Weights are [rows, columns, taps]; one of the two counts the channels of one group only.
    let groups = outputIsFirst ? values.count / columns : op.weightChannelRepeats
    let groupRows = rows / groups
    var sums = [Double](repeating: 0, count: outputIsFirst ? rows : columns * groups)
    let scales = stored.quantization?.scales ?? []
    weight.withFloats { real in
      stored.withElements(of: Int8.self) { rounded in
        for row in 0..<rows {
          let firstColumn = row / groupRows * columns
          for column in 0..<columns {
            let start = (row * columns + column) * taps
            let scale = scales[outputIsFirst ? row : column]
            var error = 0.0
            for tap in 0..<taps {
              let off = Float(rounded[start + tap]) * scale - real[start + tap]
              error += Double(off) * use[tap]
            }
            if outputIsFirst {
              sums[row] += error * values[firstColumn + column]
            } else {
              sums[firstColumn + column] += error * values[row]
            }
          }
        }
      }
    }
    return sums
  }
}
