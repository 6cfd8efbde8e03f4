import ModelKernels
import Synchronization
import TensorCore

/// How the weights of each layer make up for each other, found when a layer is first asked for.
final class AdaptiveRoundings: Sendable {
  private let moments: [String: OperandMoments]
  private let made = Mutex<[String: AdaptiveRounding]>([:])

  /// - Parameter moments: by the names of layers.
  init(_ moments: [String: OperandMoments]) { self.moments = moments }

  /// Of a layer; nil where it is not known what its weights multiply.
  subscript(layer: String) -> AdaptiveRounding? {
    if let known = made.withLock({ $0[layer] }) { return known }
    guard let own = moments[layer], let rounding = AdaptiveRounding(own) else { return nil }
    made.withLock { $0[layer] = rounding }
    return rounding
  }
}

/// Rounds the weights of a channel one after another, each making up for the errors of those before it (`Q70`): with H the mean
/// products of what they multiply, this keeps eᵀ·H·e small, the power of what the errors e add to a sum. The idea is that of Frantar
/// et al., GPTQ, 2022.
struct AdaptiveRounding: Sendable {
  /// Of the mean of the diagonal, what is added to it, so that weights that nothing was multiplied with move little.
  static let damping = 0.01

  /// For each block of weights V, row-major, where H = V·D·Vᵀ and V is an upper triangle with ones on its diagonal.
  private let factors: [[Double]]
  private let ranges: [Range<Int>]

  /// Nil where the moments left 64 bits.
  init?(_ moments: OperandMoments) {
    let (blocks, ranges) = (moments.blocks, OperandMoments.ranges(moments.weights))
    guard blocks.count == ranges.count else { return nil }
    self.ranges = ranges
    factors = concurrently(blocks.count) { Self.factor(blocks[$0], count: ranges[$0].count) }
  }

  /// The integers of a channel's weights, in steps of `scale`.
  func integers(_ row: [Float], scale: Double, _ grid: WeightGrid?) -> [Int8] {
    var made: [Int8] = []
    made.reserveCapacity(row.count)
    var multiplier = 1.0
    for (factor, range) in zip(factors, ranges) {
      let count = range.count
      var wanted = row[range].map { Double($0) }
      for index in 0..<count {
        let integer: Double
        if let grid {
          if index % grid.group == 0 {
            let group = wanted[index..<min(index + grid.group, count)]
            multiplier = Double(grid.multiplier(of: group, scale: scale))
          }
          integer = grid.steps(wanted[index] / (scale * multiplier)) * multiplier
        } else {
          integer = min(max((wanted[index] / scale).rounded(.toNearestOrEven), -127), 127)
        }
        made.append(Int8(integer))
        // What the later ones make up for is the whole error, of which those before already took their part; of a weight that left
        // the grid no more than a step, or one after another would leave it.
        let step = scale * multiplier
        let error = min(max(Double(row[range.lowerBound + index]) - integer * scale, -step), step)
        wanted.withUnsafeMutableBufferPointer { wanted in
          factor.withUnsafeBufferPointer { factor in
            KernelTier.best.add(
              error,
              times: UnsafeBufferPointer(
                rebasing: factor[index * count + index + 1..<(index + 1) * count]),
              to: UnsafeMutableBufferPointer(rebasing: wanted[(index + 1)...]))
          }
        }
      }
    }
    return made
  }

  /// V of the damped moments of a block.
  private static func factor(_ sums: [Int64], count: Int) -> [Double] {
    // Row-major; only the lower triangle is there.
    var rest = [Double](repeating: 0, count: count * count)
    var place = 0
    for row in 0..<count {
      for column in 0...row {
        rest[row * count + column] = Double(sums[place])
        place += 1
      }
    }
    let mean = (0..<count).reduce(0) { $0 + rest[$1 * count + $1] } / Double(count)
    var factor = [Double](repeating: 0, count: count * count)
    guard mean > 0, mean.isFinite else { return factor }
    for index in 0..<count { rest[index * count + index] += damping * mean }
    rest.withUnsafeMutableBufferPointer { rest in
      for last in stride(from: count - 1, to: 0, by: -1) {
        let own = last * count
        let pivot = rest[own + last]
        // No less than what was added, but for the rounding of the sums.
        guard pivot > 0.5 * damping * mean else { continue }
        for row in 0..<last {
          let share = rest[own + row] / pivot
          factor[row * count + last] = share
          KernelTier.best.add(
            -share, times: UnsafeBufferPointer(rebasing: rest[own...own + row]),
            to: UnsafeMutableBufferPointer(rebasing: rest[row * count...row * count + row]))
        }
      }
    }
    return factor
  }
}
