import Foundation
import TensorCore

/// Speech as the associative bridge hears it: the power in 80 bands of HTK's mel scale from 0 to 8 kHz, in
/// decibels, 100 columns a second, each band less its mean and divided by its deviation over time.
package struct HeardMel: Sendable {
  package static let sampleRate = 16_000
  package static let bands = 80
  package static let length = 400
  package static let hop = 160

  /// ``bands`` × `columns`, row-major.
  package let values: [Float]
  package let columns: Int

  /// The middle of the recording, cut or filled with silence to `columns` columns.
  package init(_ recording: Recording, columns: Int) throws(ModelError) {
    let resampled = try recording.resampled(to: HeardMel.sampleRate).samples
    let wanted = columns * HeardMel.hop
    var samples = [Double](repeating: 0, count: wanted)
    let shift = (resampled.count - wanted) / 2
    for index in 0..<wanted where resampled.indices.contains(index + shift) {
      samples[index] = Double(resampled[index + shift])
    }
    let transform = ShortTimeTransform(length: HeardMel.length, hop: HeardMel.hop)
    let spectrum = transform.spectrum(of: samples, columns: columns)
    let energy = transform.windowEnergy
    var values = [Float](repeating: 0, count: HeardMel.bands * columns)
    for (band, filter) in HeardMel.filterbank.enumerated() {
      var decibels = [Double](repeating: 0, count: columns)
      for column in 0..<columns {
        var power = 0.0
        for (offset, weight) in filter.weights.enumerated() {
          let bin = column * transform.bins + filter.first + offset
          let (re, im) = (spectrum.real[bin], spectrum.imaginary[bin])
          power += weight * (re * re + im * im) / energy
        }
        decibels[column] = 10 * log10(max(1e-10, power))
      }
      let mean = decibels.reduce(0, +) / Double(columns)
      let squares = decibels.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
      let deviation = (squares / Double(max(columns - 1, 1))).squareRoot() + 1e-10
      for column in 0..<columns {
        values[band * columns + column] = Float((decibels[column] - mean) / deviation)
      }
    }
    self.values = values
    self.columns = columns
  }

  /// Triangles between neighbours that are evenly spaced in HTK's mel.
  static let filterbank: [MelFilter] = {
    func mel(_ hertz: Double) -> Double { 2595 * log10(1 + hertz / 700) }
    let top = mel(Double(sampleRate) / 2)
    let points = (0...bands + 1).map {
      700 * (pow(10, top * Double($0) / Double(bands + 1) / 2595) - 1)
    }
    return MelFilter.bank(points, bins: length / 2 + 1, rate: sampleRate, areas: false)
  }()
}

/// The mel spectrogram that the bridge speaks in, and speech from it: magnitudes in 80 bands of Slaney's
/// scale from 55 to 7500 Hz, 100 columns a second, the logarithm mapped to [-1, 1].
package enum SpokenMel {
  package static let sampleRate = 16_000
  package static let bands = 80
  package static let length = 640
  package static let hop = 160
  package static let preemphasis = 0.97
  static let floor = 1e-5

  /// ``bands`` × (1 + count / 160), row-major.
  package static func values(of samples: [Float]) -> [Double] {
    let peak = Double(samples.map(abs).max() ?? 0)
    let scale = peak > 0 ? 0.9 / peak : 0
    var emphasised = samples.map { Double($0) * scale }
    for index in stride(from: emphasised.count - 1, to: 0, by: -1) {
      emphasised[index] -= preemphasis * emphasised[index - 1]
    }
    let transform = ShortTimeTransform(length: length, hop: hop)
    let columns = 1 + samples.count / hop
    let spectrum = transform.spectrum(of: emphasised, columns: columns)
    var values = [Double](repeating: 0, count: bands * columns)
    for (band, filter) in filterbank.enumerated() {
      for column in 0..<columns {
        var sum = 0.0
        for (offset, weight) in filter.weights.enumerated() {
          let bin = column * transform.bins + filter.first + offset
          let (re, im) = (spectrum.real[bin], spectrum.imaginary[bin])
          sum += weight * (re * re + im * im).squareRoot()
        }
        values[band * columns + column] =
          (log(max(floor, sum)) - log(floor)) / (-log(floor) / 2) - 1
      }
    }
    return values
  }

  /// Speech whose mel spectrogram is about `mel`, ``bands`` × `columns`: each bin gets what its bands
  /// hold, weighed by how much of it they see; Griffin and Lim find phases; the emphasis is undone, and
  /// the peak is 0.9.
  package static func speech(
    _ mel: [Double], columns: Int, iterations: Int = 60
  ) -> Recording {
    let transform = ShortTimeTransform(length: length, hop: hop)
    var magnitudes = [Double](repeating: 0, count: columns * transform.bins)
    var seen = [Double](repeating: 0, count: transform.bins)
    // A band's weights sum to the reciprocal of a bin's width, so a band holds a mean of its bins.
    let width = Double(sampleRate) / Double(length)
    for (band, filter) in filterbank.enumerated() {
      let peak = filter.weights.max() ?? 1
      for (offset, weight) in filter.weights.enumerated() {
        let bin = filter.first + offset
        seen[bin] += weight / peak
        for column in 0..<columns {
          let logarithm = (mel[band * columns + column] + 1) * (-log(floor) / 2) + log(floor)
          magnitudes[column * transform.bins + bin] += weight / peak * exp(logarithm) * width
        }
      }
    }
    for bin in 0..<transform.bins where seen[bin] > 0 {
      for column in 0..<columns { magnitudes[column * transform.bins + bin] /= seen[bin] }
    }
    var samples = transform.griffinLim(
      magnitudes: magnitudes, count: columns * hop, iterations: iterations)
    for index in samples.indices.dropFirst() {
      samples[index] += preemphasis * samples[index - 1]
    }
    let peak = samples.map(abs).max() ?? 0
    let scale = peak > 0 ? 0.9 / peak : 0
    return Recording(samples: samples.map { Float($0 * scale) }, rate: sampleRate)
  }

  static let filterbank: [MelFilter] = {
    func mel(_ hertz: Double) -> Double {
      hertz < 1000 ? hertz * 3 / 200 : 15 + 27 * log(hertz / 1000) / log(6.4)
    }
    func hertz(_ mel: Double) -> Double {
      mel < 15 ? mel * 200 / 3 : 1000 * exp((mel - 15) * log(6.4) / 27)
    }
    let (low, high) = (mel(55), mel(7500))
    let points = (0...bands + 1).map { hertz(low + (high - low) * Double($0) / Double(bands + 1)) }
    return MelFilter.bank(points, bins: length / 2 + 1, rate: sampleRate, areas: true)
  }()
}

/// The bins with weight of one band.
struct MelFilter: Sendable {
  let first: Int
  let weights: [Double]

  /// Triangles between three neighbouring points, with area 1 in hertz or with peak 1.
  static func bank(_ points: [Double], bins: Int, rate: Int, areas: Bool) -> [MelFilter] {
    let step = Double(rate) / Double(2 * (bins - 1))
    return (0..<points.count - 2).map { band in
      let (left, centre, right) = (points[band], points[band + 1], points[band + 2])
      let area = areas ? 2 / (right - left) : 1
      let weights = (0..<bins).map { bin in
        let hertz = Double(bin) * step
        return max(0, min((hertz - left) / (centre - left), (right - hertz) / (right - centre)))
          * area
      }
      let first = weights.firstIndex { $0 > 0 } ?? 0
      let last = weights.lastIndex { $0 > 0 } ?? 0
      return MelFilter(first: first, weights: Array(weights[first...last]))
    }
  }
}
