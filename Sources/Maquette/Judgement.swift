import Foundation
import ModelFamilies
import ModelVerification
import TensorCore

/// What a family's measure says of two forms of an output.
struct Judgement {
  /// The figure with its unit, such as "PSNR 38.1 dB".
  let figure: String
  /// The bound with its unit, such as "PSNR ≥ 35.0 dB".
  let demand: String
  let value: Double
  /// Never where ``problem`` is.
  let passed: Bool
  /// What the figure does not say: values that are not finite.
  let problem: String?

  init(
    _ measure: ModelFamily.Measure, _ actual: Tensor, against expected: Tensor
  ) throws(ModelError) {
    let metrics = try Metrics(actual, against: expected)
    problem = metrics.problem
    let isNear: Bool
    switch measure {
    case .peakRatio(let range, let bound):
      value = metrics.peakSignalToNoise(range: range)
      figure = "PSNR \(Figure.decibels(value))"
      demand = "PSNR ≥ \(Figure.decibels(bound))"
      isNear = value >= bound
    case .topAgreement(let bound):
      value = try Judgement.topAgreement(actual, expected)
      figure = String(format: "first place %.1f %%", value * 100)
      demand = String(format: "first place ≥ %.1f %%", bound * 100)
      isNear = value >= bound
    case .divergence(let bound):
      let rows = try DistributionMetrics(actual, against: expected)
      value = rows.meanDivergence
      figure = "KL \(Figure.error(value))"
      demand = "KL ≤ \(Figure.error(bound))"
      isNear = value <= bound && rows.invalidRows == 0
    case .cosine(let bound):
      value = try Judgement.meanCosine(actual, expected)
      figure = String(format: "cosine %.4f", value)
      demand = String(format: "cosine ≥ %.4f", bound)
      isNear = value >= bound
    case .meanError(let bound):
      value = metrics.meanAbsoluteError
      figure = "mean error \(Figure.error(value))"
      demand = "mean error ≤ \(Figure.error(bound))"
      isNear = value <= bound
    }
    passed = isNear && problem == nil
  }

  /// The mean over rows along the last axis of the cosine; two rows of zeros are alike.
  static func meanCosine(_ actual: Tensor, _ expected: Tensor) throws(ModelError) -> Double {
    guard actual.shape == expected.shape, let width = expected.shape.dimensions.last, width > 0
    else {
      throw ModelError(
        .shapeMismatch, "\(actual.shape) cannot be compared to \(expected.shape)")
    }
    let (a, b) = (actual.dequantized().floats(), expected.dequantized().floats())
    let cosines = stride(from: 0, to: b.count, by: width).map {
      Similarity.cosine(a[$0..<$0 + width], b[$0..<$0 + width])
    }
    return cosines.isEmpty ? 1 : cosines.reduce(0, +) / Double(cosines.count)
  }

  /// The share of rows along the last axis whose greatest element is at the same place.
  static func topAgreement(_ actual: Tensor, _ expected: Tensor) throws(ModelError) -> Double {
    guard actual.shape == expected.shape, let width = expected.shape.dimensions.last, width > 0
    else {
      throw ModelError(
        .shapeMismatch, "\(actual.shape) cannot be compared to \(expected.shape)")
    }
    let (a, b) = (actual.dequantized().doubles(), expected.dequantized().doubles())
    func top(_ values: [Double], _ start: Int) -> Int {
      (start..<start + width).max { (values[$0], $1) < (values[$1], $0) } ?? start
    }
    let starts = Array(stride(from: 0, to: b.count, by: width))
    guard !starts.isEmpty else { return 1 }
    let same = starts.filter { top(a, $0) == top(b, $0) && a[$0].isFinite }.count
    return Double(same) / Double(starts.count)
  }
}
