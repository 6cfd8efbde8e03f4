/// How the range of an activation is chosen from what was observed (`Q49`).
package enum CalibrationMethod: String, Sendable, Codable, CaseIterable {
  /// From the least to the greatest value seen.
  case minMax = "min-max"
  /// From the means over samples of each one's least and greatest value.
  case movingAverage = "moving-average"
  /// What is left when 0.005 % of the values are cut from each end.
  case percentile
  /// The range whose rounding and clipping error has the least mean square.
  case mse
  /// The range whose quantized histogram tells least apart from the observed one (Kullback–Leibler).
  case entropy
}
