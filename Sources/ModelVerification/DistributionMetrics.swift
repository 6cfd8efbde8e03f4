import Foundation
import TensorCore

/// How far probability distributions are from the ones they should be, by the definitions `VD1`… of
/// `formats/verification.md`.
package struct DistributionMetrics: Codable, Sendable, Hashable {
  /// Number of distributions.
  package let rows: Int
  /// Mean over the rows of KL(expected ‖ actual), in nats.
  package let meanDivergence: Double
  package let maximumDivergence: Double
  /// Share of the rows whose most probable index is the same; 1 where there is no row.
  package let topAgreement: Double
  /// Rows where no other index comes near the most probable one (`VD4`): which of two that are nearly tied comes first says little.
  package let clearRows: Int
  /// The share of them whose most probable index is the same; 1 where there is none.
  package let clearAgreement: Double
  /// Rows with an element that is negative or not finite on either side: they count as disagreeing
  /// and enter no divergence.
  package let invalidRows: Int

  /// The least probability that `actual` is taken to give (`VD2`).
  package static let floor = 1e-12
  /// By how much of it the greatest probability exceeds every other in a clear row (`VD4`).
  private static let gap = 0.01

  /// - Parameter axis: the axis along which each row sums to 1; from the end where negative.
  /// - Throws: `shape-mismatch` where the shapes differ; `invalid-value` for an axis outside them.
  package init(
    _ actual: Tensor, against expected: Tensor, axis: Int = -1
  ) throws(ModelError) {
    guard actual.shape == expected.shape else {
      throw ModelError(
        .shapeMismatch, "\(actual.shape) cannot be compared to \(expected.shape)")
    }
    let shape = expected.shape
    let axis = try Shape.resolve(axis: axis, rank: shape.rank)
    let extent = shape.rank == 0 ? 1 : shape[axis]
    let inner = shape.rank == 0 ? 1 : shape.count(axis + 1..<shape.rank)
    let q = actual.dequantized().doubles()
    let p = expected.dequantized().doubles()
    let rows = extent == 0 ? 0 : shape.count / extent
    var (sum, worst, agreeing, invalid) = (0.0, 0.0, 0, 0)
    var (clear, clearlyAgreeing) = (0, 0)
    for row in 0..<rows {
      let start = row / inner * extent * inner + row % inner
      let indices = stride(from: start, to: start + extent * inner, by: inner)
      guard indices.allSatisfy({ p[$0] >= 0 && q[$0] >= 0 && p[$0].isFinite && q[$0].isFinite })
      else {
        invalid += 1
        continue
      }
      var divergence = 0.0
      var (topOfP, topOfQ) = (start, start)
      for index in indices {
        if p[index] > 0 {
          divergence += p[index] * log(p[index] / max(q[index], DistributionMetrics.floor))
        }
        if p[index] > p[topOfP] { topOfP = index }
        if q[index] > q[topOfQ] { topOfQ = index }
      }
      sum += divergence
      worst = max(worst, divergence)
      let isClear = indices.allSatisfy {
        $0 == topOfP || p[$0] <= p[topOfP] * (1 - DistributionMetrics.gap)
      }
      if isClear { clear += 1 }
      guard topOfP == topOfQ else { continue }
      agreeing += 1
      if isClear { clearlyAgreeing += 1 }
    }
    self.rows = rows
    meanDivergence = rows == invalid ? 0 : sum / Double(rows - invalid)
    maximumDivergence = worst
    topAgreement = rows == 0 ? 1 : Double(agreeing) / Double(rows)
    clearRows = clear
    clearAgreement = clear == 0 ? 1 : Double(clearlyAgreeing) / Double(clear)
    invalidRows = invalid
  }
}
