import Foundation
import TensorCore

/// How far one tensor is from the tensor it should be, by the definitions `VM1`… of
/// `formats/verification.md`.
///
/// Pairs that are both NaN or the same infinity agree and enter no error; a pair in which only one side
/// is finite, or the two differ in kind, is counted in ``nonFiniteMismatches`` and enters no error
/// either, so that the other figures stay readable.
package struct Metrics: Codable, Sendable, Hashable {
  /// Number of elements.
  package let count: Int
  /// Pairs that enter the errors: both sides finite.
  package let finiteCount: Int
  package let nonFiniteMismatches: Int
  package let maximumAbsoluteError: Double
  package let meanAbsoluteError: Double
  package let meanSquaredError: Double
  /// Greatest |a − b| / |b| over the pairs with b ≠ 0.
  package let maximumRelativeError: Double
  /// 10·log₁₀(Σb² / Σ(a − b)²); +∞ without noise, −∞ for noise without a signal.
  package let signalToNoise: Double
  /// Σab / √(Σa²·Σb²); 1 where both are zero, 0 where only one is.
  package let cosine: Double
  /// Flat index of the greatest absolute error, or of the first non-finite mismatch; nil where the
  /// tensors are the same.
  package let worstIndex: Int?

  /// - Parameters:
  ///   - actual: `a`, the tensor under test; quantized integers are read as the reals they stand for.
  ///   - expected: `b`, the reference.
  /// - Throws: `shape-mismatch` where the shapes differ.
  package init(_ actual: Tensor, against expected: Tensor) throws(ModelError) {
    guard actual.shape == expected.shape else {
      throw ModelError(
        .shapeMismatch, "\(actual.shape) cannot be compared to \(expected.shape)")
    }
    self.init(actual.dequantized().doubles(), against: expected.dequantized().doubles())
  }

  /// - Precondition: as many elements on both sides.
  package init(_ actual: [Double], against expected: [Double]) {
    precondition(actual.count == expected.count, "sides of different lengths")
    var sums = Sums()
    actual.withUnsafeBufferPointer { a in
      expected.withUnsafeBufferPointer { b in
        for index in a.indices { sums.add(a[index], b[index], at: index) }
      }
    }
    count = actual.count
    finiteCount = sums.finite
    nonFiniteMismatches = sums.mismatches
    maximumAbsoluteError = sums.worst
    let divisor = Double(max(sums.finite, 1))
    meanAbsoluteError = sums.absolute / divisor
    meanSquaredError = sums.noise / divisor
    maximumRelativeError = sums.relative
    signalToNoise = Metrics.decibels(signal: sums.expected, noise: sums.noise)
    if sums.actual == 0 || sums.expected == 0 {
      cosine = sums.actual == sums.expected ? 1 : 0
    } else {
      // Two roots, because the product of the sums may overflow where they do not.
      let quotient = sums.product / sums.actual.squareRoot() / sums.expected.squareRoot()
      cosine = min(max(quotient, -1), 1)
    }
    worstIndex = sums.firstMismatch ?? sums.worstIndex
  }

  /// What no figure says: pairs that are not finite on one side alone (`VM2`); nil where there is none.
  package var problem: String? {
    nonFiniteMismatches > 0 ? "\(nonFiniteMismatches) of \(count) not finite" : nil
  }

  /// 10·log₁₀(range² / MSE), where `range` is the width of the values' range: 255 for bytes, 1 or 2 for
  /// normalised images. +∞ without error.
  package func peakSignalToNoise(range: Double) -> Double {
    Metrics.decibels(signal: range * range, noise: meanSquaredError)
  }

  private static func decibels(signal: Double, noise: Double) -> Double {
    if noise == 0 { return .infinity }
    return 10 * log10(signal / noise)
  }

  private struct Sums {
    var finite = 0
    var mismatches = 0
    var firstMismatch: Int?
    var absolute = 0.0
    var noise = 0.0
    var actual = 0.0
    var expected = 0.0
    var product = 0.0
    var worst = 0.0
    var worstIndex: Int?
    var relative = 0.0

    mutating func add(_ a: Double, _ b: Double, at index: Int) {
      guard a.isFinite, b.isFinite else {
        if a == b || (a.isNaN && b.isNaN) { return }
        mismatches += 1
        firstMismatch = firstMismatch ?? index
        return
      }
      finite += 1
      let error = abs(a - b)
      absolute += error
      noise += error * error
      actual += a * a
      expected += b * b
      product += a * b
      if error > worst {
        worst = error
        worstIndex = index
      }
      if b != 0 { relative = max(relative, error / abs(b)) }
    }
  }
}
