/// How float weights become int8 (`Q9`, `Q50`, `Q56`).
package enum WeightRounding: String, Sendable, Codable, CaseIterable {
  /// The greatest magnitude of a channel is 127 steps.
  case nearest
  /// The scale of each channel is the one with the least squared error.
  case leastError = "least-error"
  /// As ``leastError``, and biases take off what the rounded weights add to a layer's sums on average.
  case corrected
  /// As ``corrected``, and each weight of a channel makes up for the errors of those before it (`Q70`).
  case adaptive

  /// Whether biases take off what rounding adds on average.
  var correctsBiases: Bool { self == .corrected || self == .adaptive }
}
