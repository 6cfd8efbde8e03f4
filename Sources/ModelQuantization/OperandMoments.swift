import ModelIR
import ModelKernels
import ModelOperators
import TensorCore

/// Mean products of the numbers that the weights of an output channel multiply, in blocks along the diagonal: how errors of some weights
/// can make up for those of others (`Q70`). Sums of whole numbers, so that neither the order of samples nor the CPU matters.
package struct OperandMoments: Sendable {
  /// Neighbouring weights whose errors are seen together.
  static let block = 128
  /// Elements of each channel of a sample's output that are looked at.
  static let most = 256
  /// Numbers are taken to 12 bits of the sample's greatest.
  private static let greatest: Float = 2047
  /// Steps of a sum in 1.
  private static let steps = 0x1p30

  /// Of a channel.
  let weights: Int
  /// Packed lower triangles of Σ x·xᵀ in ``steps``, each sample's mean by itself; empty where sums left 64 bits.
  private(set) var blocks: [[Int64]]

  /// The weights of each block.
  static func ranges(_ weights: Int) -> [Range<Int>] {
    stride(from: 0, to: weights, by: block).map { $0..<min($0 + block, weights) }
  }

  /// Of no sample.
  init(weights: Int) {
    self.weights = weights
    blocks = Self.ranges(weights).map {
      [Int64](repeating: 0, count: $0.count * ($0.count + 1) / 2)
    }
  }

  /// What the weights of a channel multiply in one sample.
  struct Sample {
    /// One for each weight.
    let rows: Int
    fileprivate let columns: Int
    /// `[rows, columns]`, in whole numbers.
    fileprivate let numbers: [Int16]
    /// What a product of two of the numbers is of ``OperandMoments/steps``, in the sample's mean.
    fileprivate let share: Double

    /// Nil where the operand is not one for all channels, has values that are not finite, or nothing but zeros.
    init?(
      _ operand: Tensor, of op: any WeightedOperator, weight: Shape
    ) throws(ModelError) {
      guard
        let seen = try op.operandColumns(operand, weight: weight, most: OperandMoments.most)
      else { return nil }
      let extremes = seen.values.withUnsafeBufferPointer { KernelTier.best.extremes($0) }
      guard extremes.notFinite == 0, let range = extremes.range else { return nil }
      let magnitude = max(abs(range.lowerBound), abs(range.upperBound))
      guard magnitude > 0x1p-40, magnitude < 0x1p15 else { return nil }
      (rows, columns) = (seen.rows, seen.columns)
      numbers = seen.values.withUnsafeBufferPointer {
        KernelTier.best.steps($0, factor: OperandMoments.greatest / magnitude)
      }
      let step = Double(magnitude / OperandMoments.greatest)
      share = step * step * OperandMoments.steps / Double(columns)
    }
  }

  /// Adds those of one sample.
  mutating func add(_ sample: Sample) {
    guard sample.rows == weights, !blocks.isEmpty else { return }
    var overflows = false
    sample.numbers.withUnsafeBufferPointer { numbers in
      for (index, range) in Self.ranges(weights).enumerated() {
        let (first, end) = (range.lowerBound * sample.columns, range.upperBound * sample.columns)
        let products = KernelTier.best.rowProducts(
          UnsafeBufferPointer(rebasing: numbers[first..<end]), rows: range.count,
          columns: sample.columns)
        overflows =
          KernelTier.best.add(sample.share, times: products, to: &blocks[index]) || overflows
      }
    }
    if overflows { blocks = [] }
  }

  /// Adds those of other samples of the same layer.
  mutating func add(_ other: OperandMoments) {
    guard other.weights == weights else { return }
    var overflows = other.blocks.count != blocks.count
    for index in blocks.indices where !overflows {
      for place in blocks[index].indices {
        let (sum, overflow) = blocks[index][place].addingReportingOverflow(
          other.blocks[index][place])
        blocks[index][place] = sum
        overflows = overflows || overflow
      }
    }
    // The diagonal only grows and is greater than what is beside it: it overflows in every order or in none.
    if overflows { blocks = [] }
  }
}

extension OperandMoments: Codable {
  private enum CodingKeys: String, CodingKey { case weights, blocks }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    weights = try values.decode(Int.self, forKey: .weights)
    blocks = try values.decode([PackedIntegers].self, forKey: .blocks).map(\.values)
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(weights, forKey: .weights)
    try values.encode(blocks.map { PackedIntegers($0) }, forKey: .blocks)
  }

  /// Whether what was decoded can have been observed of a layer with so many weights to a channel.
  func isSound(weights expected: Int?) -> Bool {
    guard weights == expected else { return false }
    return blocks.isEmpty
      || blocks.map(\.count) == Self.ranges(weights).map { $0.count * ($0.count + 1) / 2 }
  }
}
