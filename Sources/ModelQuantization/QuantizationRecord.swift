/// What was decided when a graph was quantized, and on what ground: kept in the bundle, shown by
/// `inspect`.
package struct QuantizationRecord: Sendable, Codable, Hashable {
  /// One activation tensor.
  package struct Activation: Sendable, Codable, Hashable {
    package let name: String
    package let lower: Float
    package let upper: Float
    package let scale: Float
    package let zeroPoint: Int32
  }

  /// One node of the float graph.
  package struct Layer: Sendable, Codable, Hashable {
    package let name: String
    package let operatorName: String
    /// Why it stays float; nil where it runs on integers.
    package let floatReason: String?
    /// What would bring it to integers; nil in older records.
    package var floatChange: String?
    /// Products that it sums, over all samples; nil where that is not its kind of work, or was not observed.
    package var multiplyAccumulates: Int?
    /// Bits of what it reads, where they are not 8.
    package var activationBits: Int?
    /// Why these are 16; nil in older records.
    package var wideReason: WideReason?
  }

  /// Nil where the file was quantized already: its own parameters are used.
  package let method: CalibrationMethod?
  package let samples: Int
  package let activations: [Activation]
  package let layers: [Layer]
  /// How layers came to their forms, where that was planned.
  package var precisionPlan: PrecisionPlan?
  /// The share of their results' rounding that the rounding of weights may add (`Q57`); nil in older records.
  package var weightNoise: Double?
}
