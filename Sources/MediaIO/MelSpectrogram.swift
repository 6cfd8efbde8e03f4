import Foundation
import TensorCore

/// Speech as 80 mel bands, 80 columns a second, in [-4, 4]: what the lip-synchronising audio encoders
/// were trained on.
///
/// Pre-emphasis, an 800-point transform every 200 samples of 16 kHz speech with reflected ends, Slaney's
/// mel bands of its magnitudes, decibels, and a linear map of [-100, 0] dB to [-4, 4]. Computed in
/// double precision, without BLAS, so that every computer prepares the same input.
package struct MelSpectrogram: Sendable {
  package static let sampleRate = 16_000
  package static let windowLength = 800
  package static let hop = 200
  package static let bands = 80
  package static let lowest = 55.0
  package static let highest = 7600.0
  package static let preemphasis: Float = 0.97
  package static let columnsPerSecond = 80.0
  /// Columns that one video frame's audio takes: 200 ms.
  package static let windowColumns = 16
  /// The least number of samples that give one window.
  package static let minimumSamples = (windowColumns - 1) * hop

  /// Row-major, ``bands`` × ``columns``.
  package let values: [Float]
  package let columns: Int

  /// - Throws: `invalid-value` where the recording is shorter than one window.
  package init(_ recording: Recording) throws(ModelError) {
    let samples = try recording.resampled(to: MelSpectrogram.sampleRate).samples
    guard samples.count >= MelSpectrogram.minimumSamples else {
      throw ModelError(
        .invalidValue,
        "the recording lasts \(Int(recording.seconds * 1000)) ms; at least "
          + "\(MelSpectrogram.minimumSamples * 1000 / MelSpectrogram.sampleRate) ms are needed")
    }
    var emphasised = samples
    for index in stride(from: samples.count - 1, to: 0, by: -1) {
      emphasised[index] = samples[index] - MelSpectrogram.preemphasis * samples[index - 1]
    }
    let columns = 1 + samples.count / MelSpectrogram.hop
    let magnitudes = Spectrum().magnitudes(of: emphasised, columns: columns)
    let bins = Spectrum.bins
    var values = [Float](repeating: 0, count: MelSpectrogram.bands * columns)
    for (band, row) in MelSpectrogram.filterbank.enumerated() {
      for column in 0..<columns {
        var energy = 0.0
        for (offset, weight) in row.weights.enumerated() {
          energy += Double(weight) * magnitudes[column * bins + row.first + offset]
        }
        let decibels = 20 * log10(max(1e-5, energy)) - 20
        values[band * columns + column] = Float(min(4, max(-4, 8 * (decibels + 100) / 100 - 4)))
      }
    }
    self.values = values
    self.columns = columns
  }

  /// First column of each video frame's window; the last window ends with the speech.
  package func windowStarts(framesPerSecond: Double = 25) -> [Int] {
    var starts: [Int] = []
    while true {
      let start = Int(
        Double(starts.count) * MelSpectrogram.columnsPerSecond / framesPerSecond)
      guard start + MelSpectrogram.windowColumns <= columns else {
        return starts + [columns - MelSpectrogram.windowColumns]
      }
      starts.append(start)
    }
  }

  /// The columns from `start` as ``bands`` × ``windowColumns``, row-major.
  package func window(at start: Int) -> [Float] {
    var window: [Float] = []
    window.reserveCapacity(MelSpectrogram.bands * MelSpectrogram.windowColumns)
    for band in 0..<MelSpectrogram.bands {
      let row = band * columns + start
      window.append(contentsOf: values[row..<row + MelSpectrogram.windowColumns])
    }
    return window
  }

  /// The bins with weight of one band.
  struct Band {
    let first: Int
    let weights: [Float]
  }

  /// Triangles between neighbouring points that are evenly spaced in mel, each with area 1 in hertz.
  static let filterbank: [Band] = {
    let low = mel(lowest)
    let step = (mel(highest) - low) / Double(bands + 1)
    let points = (0...bands + 1).map { hertz(low + step * Double($0)) }
    let bin = Double(sampleRate) / Double(windowLength)
    return (0..<bands).map { band in
      let (left, centre, right) = (points[band], points[band + 1], points[band + 2])
      let area = 2 / (right - left)
      let weights = (0..<Spectrum.bins).map { index in
        let frequency = Double(index) * bin
        let rising = (frequency - left) / (centre - left)
        let falling = (right - frequency) / (right - centre)
        return Float(max(0, min(rising, falling)) * area)
      }
      let first = weights.firstIndex { $0 > 0 } ?? 0
      let last = weights.lastIndex { $0 > 0 } ?? 0
      return Band(first: first, weights: Array(weights[first...last]))
    }
  }()

  /// Slaney's scale: linear to 1 kHz, logarithmic above.
  private static func mel(_ hertz: Double) -> Double {
    hertz < 1000 ? hertz * 3 / 200 : 15 + 27 * log(hertz / 1000) / log(6.4)
  }

  private static func hertz(_ mel: Double) -> Double {
    mel < 15 ? mel * 200 / 3 : 1000 * exp((mel - 15) * log(6.4) / 27)
  }
}
