/// Sums of the least and the greatest values of samples, in whole numbers of 2⁻⁴⁰ so that the order of samples does not matter.
/// What is beyond ±2⁶⁰ counts as that.
struct ExtremeSums: Sendable, Codable, Hashable {
  private(set) var lower = ExactSum()
  private(set) var upper = ExactSum()
  private(set) var samples = 0

  /// Takes in the least and the greatest value of a sample.
  mutating func add(_ range: ClosedRange<Float>) {
    lower.add(range.lowerBound)
    upper.add(range.upperBound)
    samples += 1
  }

  mutating func add(_ other: ExtremeSums) {
    lower.add(other.lower)
    upper.add(other.upper)
    samples += other.samples
  }

  /// The mean of the least values to that of the greatest; nil before there is one.
  var means: ClosedRange<Float>? {
    guard samples > 0 else { return nil }
    return lower.mean(of: samples)...max(lower.mean(of: samples), upper.mean(of: samples))
  }

  /// Whether what was decoded can have been observed.
  var isSound: Bool {
    (0..<1 << 24).contains(samples) && [lower, upper].allSatisfy { $0.isWithin(samples) }
  }
}

/// A sum of floats that does not depend on their order.
struct ExactSum: Sendable, Codable, Hashable {
  private static let greatest: Double = 0x1p60
  private static let step: Double = 0x1p-40
  private var steps: Int128 = 0

  init() {}

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    guard let steps = Int128(try container.decode(String.self)) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "no whole number")
    }
    self.steps = steps
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(String(steps))
  }

  mutating func add(_ value: Float) {
    let within = min(max(Double(value), -Self.greatest), Self.greatest)
    steps += Int128((within / Self.step).rounded(.toNearestOrEven))
  }

  mutating func add(_ other: ExactSum) { steps += other.steps }

  func mean(of count: Int) -> Float { Float(Double(steps) / Double(count) * Self.step) }

  /// Whether `count` values can have this sum.
  func isWithin(_ count: Int) -> Bool {
    abs(Double(steps)) <= Self.greatest / Self.step * Double(count)
  }
}
