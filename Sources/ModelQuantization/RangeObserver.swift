import Foundation
import ModelKernels
import TensorCore

/// A range of real numbers that contains 0.
package struct ValueRange: Sendable, Hashable, Codable {
  package let lower: Float
  package let upper: Float

  package init(lower: Float, upper: Float) {
    self.lower = min(lower, 0)
    self.upper = max(upper, 0)
  }

  /// Int8 parameters that cover the range (`Q47`): 255 steps, 0 exact.
  package var parameters: QuantizationParameters {
    let width = Double(upper) - Double(lower)
    let scale = Float(max(width / 255, 0x1p-100))
    guard width > 0 else { return QuantizationParameters(scale: 1, zeroPoint: 0) }
    let zero = (-128 - Double(lower) / Double(scale)).rounded(.toNearestOrEven)
    return QuantizationParameters(scale: scale, zeroPoint: Int32(min(max(zero, -128), 127)))
  }
}

/// What is remembered of one activation (`Q48`): extremes, means of the samples' extremes, and a histogram of 4,096 bins whose
/// width is a power of two and doubles when a value falls outside. Memory does not grow with the number
/// of samples, and nothing depends on their order.
package struct RangeObserver: Sendable, Codable {
  struct Extremes: Sendable, Codable, Hashable {
    let lower: Float
    let upper: Float
  }

  package internal(set) var samples = 0
  package internal(set) var count = 0
  /// Values that are NaN or infinite; they take part in nothing else.
  package internal(set) var notFinite = 0
  /// The least and the greatest value; nil before there is one.
  var extremes: Extremes?
  /// Of the samples' extremes.
  var sums = ExtremeSums()
  var bins = [Int](repeating: 0, count: KernelTier.histogramBins)
  /// Bins below and above zero.
  static let half = KernelTier.histogramBins / 2
  /// log₂ of the width of a bin.
  private(set) var exponent = -40

  package init() {}

  /// Takes in one sample's values.
  package mutating func observe(_ tensor: Tensor) {
    if tensor.element == .float32 {
      tensor.withElements(of: Float.self) { observe($0) }
    } else {
      tensor.floats().withUnsafeBufferPointer { observe($0) }
    }
  }

  private mutating func observe(_ values: UnsafeBufferPointer<Float>) {
    let (range, bad) = KernelTier.best.extremes(values)
    samples += 1
    notFinite += bad
    guard let range else { return }
    let (low, high) = (range.lowerBound, range.upperBound)
    extremes = Extremes(
      lower: min(extremes?.lower ?? low, low), upper: max(extremes?.upper ?? high, high))
    sums.add(low...high)
    widen(to: max(abs(low), abs(high)))
    count += values.count - bad
    let inverse = Float(sign: .plus, exponent: -exponent, significand: 1)
    bins.withUnsafeMutableBufferPointer {
      KernelTier.best.histogram(values, inverseWidth: inverse, into: $0)
    }
  }

  /// Doubles the bins' width until `magnitude` fits.
  private mutating func widen(to magnitude: Float) {
    let half = Float(RangeObserver.half)
    var wanted = exponent
    while wanted < 100, magnitude >= Float(sign: .plus, exponent: wanted, significand: 1) * half {
      wanted += 1
    }
    widen(toExponent: wanted)
  }

  /// Doubles the bins' width until it is 2^`wanted`, or more.
  mutating func widen(toExponent wanted: Int) {
    guard exponent < wanted else { return }
    let half = RangeObserver.half
    let doublings = wanted - exponent
    exponent = wanted
    guard count > 0 else { return }
    var merged = [Int](repeating: 0, count: bins.count)
    for index in bins.indices where bins[index] > 0 {
      merged[((index - half) >> doublings) + half] += bins[index]
    }
    bins = merged
  }

  private var binWidth: Double { Double(sign: .plus, exponent: exponent, significand: 1) }

  /// The range by `method`.
  ///
  /// - Throws: `not-quantizable` where nothing finite was observed.
  package func range(_ method: CalibrationMethod) throws(ModelError) -> ValueRange {
    guard count > 0, let extremes, let means = sums.means else {
      throw ModelError(.notQuantizable, "no finite value was observed")
    }
    let whole = ValueRange(lower: extremes.lower, upper: extremes.upper)
    switch method {
    case .minMax: return whole
    case .movingAverage: return ValueRange(lower: means.lowerBound, upper: means.upperBound)
    case .percentile: return percentile(0.00005, within: whole)
    case .mse:
      let sums = BinSums(self)
      return least(within: whole) { sums.expectedError($0) }
    case .entropy: return least(within: whole) { divergence($0) }
    }
  }

  private func percentile(_ share: Double, within whole: ValueRange) -> ValueRange {
    let cut = Int(Double(count) * share)
    let half = RangeObserver.half
    var (lower, upper) = (whole.lower, whole.upper)
    var seen = 0
    for index in bins.indices {
      seen += bins[index]
      if seen > cut {
        lower = max(whole.lower, Float(Double(index - half) * binWidth))
        break
      }
    }
    seen = 0
    for index in bins.indices.reversed() {
      seen += bins[index]
      if seen > cut {
        upper = min(whole.upper, Float(Double(index - half + 1) * binWidth))
        break
      }
    }
    return ValueRange(lower: lower, upper: upper)
  }

  /// Of ranges that keep 30 % to 100 % of each side, the one with the least `cost`.
  private func least(within whole: ValueRange, _ cost: (ValueRange) -> Double) -> ValueRange {
    var best = (error: Double.infinity, range: whole)
    let steps = (0...35).map { 1 - Double($0) * 0.02 }
    let sides = whole.lower == 0 || whole.upper == 0
    for upperShare in steps {
      for lowerShare in sides ? [upperShare] : [upperShare, min(1, upperShare + 0.1), 1] {
        let range = ValueRange(
          lower: Float(Double(whole.lower) * lowerShare),
          upper: Float(Double(whole.upper) * upperShare))
        let error = cost(range)
        if error < best.error { best = (error, range) }
      }
    }
    return best.range
  }

  /// The mean of the squares of all values, to what the bins tell.
  var meanSquare: Double {
    var sum = 0.0
    for index in bins.indices where bins[index] > 0 {
      let centre = (Double(index - RangeObserver.half) + 0.5) * binWidth
      sum += Double(bins[index]) * centre * centre
    }
    return sum / Double(max(count, 1))
  }

  /// What 8 bits of `range` add to a value, on average of all values.
  func meanSquaredError(of range: ValueRange) -> Double {
    BinSums(self).expectedError(range) / Double(max(count, 1))
  }

  /// Counts and moments of all bins below each bin, so that the error of a range takes no look at every bin.
  private struct BinSums {
    /// Of the bins before each; distances are in bins from zero.
    private var counts = [0.0]
    private var first = [0.0]
    private var second = [0.0]
    private let binWidth: Double
    /// Values but for those of the bin that starts at 0, which is exact in every range.
    private let rounded: Double

    init(_ observer: RangeObserver) {
      binWidth = observer.binWidth
      let bins = observer.bins
      rounded = Double(observer.count - bins[RangeObserver.half])
      counts.reserveCapacity(bins.count + 1)
      first.reserveCapacity(bins.count + 1)
      second.reserveCapacity(bins.count + 1)
      var (count, sum, squares) = (0.0, 0.0, 0.0)
      for index in bins.indices {
        let number = Double(bins[index])
        let centre = Double(index - RangeObserver.half) + 0.5
        count += number
        sum += number * centre
        squares += number * centre * centre
        counts.append(count)
        first.append(sum)
        second.append(squares)
      }
    }

    /// Σ n · (centre − `edge`)² over the bins of `range`.
    private func distance(_ range: Range<Int>, to edge: Double) -> Double {
      let (from, to) = (range.lowerBound, range.upperBound)
      return (second[to] - second[from]) - 2 * edge * (first[to] - first[from])
        + edge * edge * (counts[to] - counts[from])
    }

    /// Sum of squared errors: a twelfth of the squared step for each value that is not 0, and for those outside the squared distance.
    func expectedError(_ range: ValueRange) -> Double {
      let step = Double(range.parameters.scale)
      let bins = counts.count - 1
      /// The first bin whose centre is not below `edge`.
      func place(_ edge: Double) -> Int {
        Int(min(max((edge - 0.5).rounded(.up) + Double(RangeObserver.half), 0), Double(bins)))
      }
      let (lower, upper) = (Double(range.lower) / binWidth, Double(range.upper) / binWidth)
      let outside =
        distance(0..<place(lower), to: lower) + distance(place(upper)..<bins, to: upper)
      return max(outside, 0) * binWidth * binWidth + rounded * step * step / 12
    }
  }

  /// Σ p · ln(p / q) over the bins: p are the shares of the counts, those outside the range at its ends; q spreads the
  /// count of each quantization step evenly over its bins that are not empty. The bin of 0 is left out, because 0 is
  /// exact in every range.
  private func divergence(_ range: ValueRange) -> Double {
    let step = Double(range.parameters.scale)
    let half = RangeObserver.half
    func bin(_ value: Float) -> Int {
      min(max(Int((Double(value) / binWidth).rounded(.down)) + half, 0), 2 * half - 1)
    }
    let (first, last) = (bin(range.lower), bin(range.upper))
    var inside = Array(bins[first...last])
    if half >= first { inside[half - first] = 0 }
    var kept = inside
    for index in bins.indices where bins[index] > 0 && index != half {
      if index < first { kept[0] += bins[index] }
      if index > last { kept[last - first] += bins[index] }
    }
    let places = kept.indices.map { index in
      Int(((Double(index + first - half) + 0.5) * binWidth / step).rounded(.toNearestOrEven))
    }
    // For each step, what it holds without what lay outside, and in how many bins.
    let lowest = places[0]
    var sums = [(inside: Int, bins: Int)](
      repeating: (0, 0), count: places[places.count - 1] - lowest + 1)
    for index in kept.indices where kept[index] > 0 {
      sums[places[index] - lowest].inside += inside[index]
      sums[places[index] - lowest].bins += 1
    }
    let (all, own) = (Double(kept.reduce(0, +)), Double(max(inside.reduce(0, +), 1)))
    var sum = 0.0
    for index in kept.indices where kept[index] > 0 {
      let p = Double(kept[index]) / all
      let group = sums[places[index] - lowest]
      let q = Double(max(group.inside, 1)) / Double(group.bins) / own
      sum += p * log(p / q)
    }
    return sum
  }
}
