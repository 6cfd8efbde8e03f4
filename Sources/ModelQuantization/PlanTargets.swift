import Foundation
import TensorCore

/// How far one output may be from the float graph's (`Q60`).
package struct QualityTarget: Sendable {
  /// What is measured of which output, such as "SQNR of frames".
  package let name: String
  /// Of the figure that people are told.
  package let unit: String
  /// Whether a greater figure is better.
  package let isLeast: Bool
  /// The output's number.
  package let output: Int
  /// The distance grows like this power of the noise: 1 for what is squared, ½ for what is not.
  package let exponent: Double
  /// The greatest distance that is allowed.
  package let limit: Double
  /// Of what an output is in one sample from what it should be.
  package let distance: @Sendable (_ made: Tensor, _ expected: Tensor) throws(ModelError) -> Double
  /// What people are told of a distance.
  package let figure: @Sendable (Double) -> Double

  package init(
    name: String, unit: String, isLeast: Bool, output: Int, exponent: Double, limit: Double,
    distance:
      @escaping @Sendable (_ made: Tensor, _ expected: Tensor) throws(ModelError) -> Double,
    figure: @escaping @Sendable (Double) -> Double
  ) {
    self.name = name
    self.unit = unit
    self.isLeast = isLeast
    self.output = output
    self.exponent = exponent
    self.limit = limit
    self.distance = distance
    self.figure = figure
  }

  /// A ratio of powers, of which `distance` is the inverse.
  package static func decibels(
    _ name: String, output: Int, atLeast bound: Double,
    distance:
      @escaping @Sendable (_ made: Tensor, _ expected: Tensor) throws(ModelError) -> Double
  ) -> QualityTarget {
    QualityTarget(
      name: name, unit: "dB", isLeast: true, output: output, exponent: 1,
      limit: pow(10, -bound / 10), distance: distance,
      figure: { -10 * log10(max($0, 1e-30)) })
  }

  /// A signal-to-noise ratio of an output; samples in which it is silent have none.
  package static func signalToNoise(
    of name: String, output: Int, atLeast bound: Double
  ) -> QualityTarget {
    .decibels("SQNR of \(name)", output: output, atLeast: bound) { made, expected in
      let powers = Powers(made, expected)
      return powers.signal > 0 ? powers.noise / powers.signal : 0
    }
  }

  /// A peak signal-to-noise ratio of an output.
  ///
  /// - Parameter range: the width of its range; nil for that of the values that the float graph has.
  package static func peakRatio(
    of name: String, output: Int, range: Double?, atLeast bound: Double
  ) -> QualityTarget {
    .decibels("PSNR of \(name)", output: output, atLeast: bound) { made, expected in
      let values = expected.floats().filter(\.isFinite)
      let width = range ?? Double(values.max() ?? 0) - Double(values.min() ?? 0)
      let mean = Powers(made, expected).noise / Double(max(values.count, 1))
      return width > 0 ? mean / (width * width) : 0
    }
  }
}

/// Bytes that a graph may take of a bundle, of which some are for what is not tensors.
package struct PlanSize: Sendable {
  package let limit: Int
  package let reserved: Int

  package init(limit: Int, reserved: Int) {
    self.limit = limit
    self.reserved = reserved
  }
}

/// What a plan keeps: bounds on distances, and limits of what the graph takes.
package struct PlanTargets: Sendable {
  package var qualities: [QualityTarget] = []
  package var bytes: PlanSize?
  /// Milliseconds of a run on the first sample, on one thread.
  package var milliseconds: Double?

  package init() {}

  package var isEmpty: Bool { qualities.isEmpty && bytes == nil && milliseconds == nil }
}

/// The powers of a signal and of what differs from it, over the finite values of the signal.
struct Powers {
  var signal = 0.0
  var noise = 0.0

  init() {}

  init(_ made: Tensor, _ expected: Tensor) { add(made, expected) }

  mutating func add(_ made: Tensor, _ expected: Tensor) {
    for (a, b) in zip(made.floats(), expected.floats()) where b.isFinite {
      signal += Double(b) * Double(b)
      noise += (Double(a) - Double(b)) * (Double(a) - Double(b))
    }
  }
}
