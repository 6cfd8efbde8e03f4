import Foundation
import TensorCore

/// Changes a recording's rate by any ratio: a Kaiser-windowed sinc, one row of taps for each phase.
///
/// The pass band ends at 0.9 of the lower Nyquist frequency and the stop band, 100 dB down, begins at
/// it. Computed in double precision with a fixed order of additions.
package struct Resampler {
  /// Zero crossings of the sinc on each side.
  private static let crossings = 64
  private static let beta = 10.0
  /// Of the lower Nyquist frequency: the middle of the transition.
  private static let cutoff = 0.95

  private let up: Int
  private let down: Int
  private let width: Double
  private let scale: Double

  package init(from: Int, to: Int) throws(ModelError) {
    for rate in [from, to] {
      guard MediaLimits.sampleRates.contains(rate) else {
        throw ModelError(.invalidValue, "\(rate) samples a second are outside the range read")
      }
    }
    var (a, b) = (from, to)
    while b != 0 { (a, b) = (b, a % b) }
    up = to / a
    down = from / a
    scale = Resampler.cutoff * min(1, Double(to) / Double(from))
    width = Double(Resampler.crossings) / scale
  }

  /// ⌈count · to / from⌉ samples; silence surrounds the recording.
  package func run(_ input: [Float]) -> [Float] {
    guard up != down else { return input }
    let count = (input.count * up + down - 1) / down
    let reach = Int(width.rounded(.up))
    var rows: [Int: [Double]] = [:]
    var output = [Float](repeating: 0, count: count)
    for index in 0..<count {
      let (centre, phase) = (index * down).quotientAndRemainder(dividingBy: up)
      let taps: [Double]
      if let row = rows[phase] {
        taps = row
      } else {
        taps = row(phase: Double(phase) / Double(up), reach: reach)
        rows[phase] = taps
      }
      let first = centre - reach + 1
      let low = max(0, -first)
      let high = min(taps.count, input.count - first)
      guard low < high else { continue }
      var sum = 0.0
      input.withUnsafeBufferPointer { input in
        taps.withUnsafeBufferPointer { taps in
          for tap in low..<high { sum += taps[tap] * Double(input[first + tap]) }
        }
      }
      output[index] = Float(sum)
    }
    return output
  }

  /// Weights of the samples −reach+1 … reach around a point `phase` after the centre.
  private func row(phase: Double, reach: Int) -> [Double] {
    let norm = Resampler.bessel(Resampler.beta)
    return (0..<2 * reach).map { tap in
      let distance = Double(tap - reach + 1) - phase
      guard abs(distance) < width else { return 0 }
      let x = Double.pi * distance * scale
      let sinc = x == 0 ? 1 : sin(x) / x
      let position = distance / width
      let window = Resampler.bessel(Resampler.beta * (1 - position * position).squareRoot()) / norm
      return scale * sinc * window
    }
  }

  /// The modified Bessel function of the first kind and order 0.
  private static func bessel(_ x: Double) -> Double {
    let quarter = x * x / 4
    var term = 1.0
    var sum = 1.0
    var index = 1.0
    while term > sum * 1e-17 {
      term *= quarter / (index * index)
      sum += term
      index += 1
    }
    return sum
  }
}

extension Recording {
  package func resampled(to rate: Int) throws(ModelError) -> Recording {
    rate == self.rate
      ? self : Recording(samples: try Resampler(from: self.rate, to: rate).run(samples), rate: rate)
  }
}
