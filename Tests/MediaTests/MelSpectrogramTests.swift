import Foundation
import TensorCore
import Testing

@testable import MediaIO

@Suite struct MelSpectrogramTests {
  @Test func filterbankIsLibrosas() throws {
    let golden = try #require(Golden.arrays("mel/filterbank.npz")["filterbank"])
    #expect(golden.count == 80 * 401)
    for (band, row) in MelSpectrogram.filterbank.enumerated() {
      for bin in 0..<401 {
        let offset = bin - row.first
        let weight = row.weights.indices.contains(offset) ? row.weights[offset] : 0
        #expect(abs(Double(weight) - golden[band * 401 + bin]) < 1e-8)
      }
    }
  }

  @Test(arguments: ["librivox_0880", "sphinx_goforward"])
  func spectrogramIsLibrosas(name: String) throws {
    let golden = try Golden.arrays("mel/\(name).npz")
    let recording = try Recording(contentsOf: Golden.path("speech/\(name).wav"))
    let mel = try MelSpectrogram(recording)
    let expected = try #require(golden["mel"])
    #expect(mel.values.count == expected.count)
    var worst = 0.0
    for (value, wanted) in zip(mel.values, expected) {
      worst = max(worst, abs(Double(value) - wanted))
    }
    #expect(worst <= 1e-4, "the greatest difference is \(worst)")
    #expect(mel.windowStarts().map(Double.init) == golden["window_starts"])
  }

  /// The transform by factors is the product with the matrix of the windowed cosines and sines.
  @Test func magnitudesAreThoseOfTheMatrixProduct() throws {
    let samples = try Recording(contentsOf: Golden.path("speech/cards_001.wav")).samples
    let (column, length) = (40, Spectrum.length)
    let made = Spectrum().magnitudes(of: samples, columns: 1 + samples.count / MelSpectrogram.hop)
    let start = column * MelSpectrogram.hop - length / 2
    let turn = 2 * Double.pi / Double(length)
    var (worst, peak) = (0.0, 0.0)
    for bin in 0..<Spectrum.bins {
      var (x, y) = (0.0, 0.0)
      for index in 0..<length {
        let value =
          Double(samples[start + index]) * (0.5 - 0.5 * cos(turn * Double(index)))
        x += value * cos(turn * Double(index * bin % length))
        y -= value * sin(turn * Double(index * bin % length))
      }
      let magnitude = (x * x + y * y).squareRoot()
      worst = max(worst, abs(magnitude - made[column * Spectrum.bins + bin]))
      peak = max(peak, magnitude)
    }
    #expect(worst < 1e-13 * peak, "\(worst) of \(peak)")
  }

  @Test func everyBandKeepsItsRange() throws {
    let tone = (0..<16_000).map { index in index % 16 < 8 ? Float(0.9) : -0.9 }
    let mel = try MelSpectrogram(Recording(samples: tone, rate: 16_000))
    #expect(mel.columns == 81)
    #expect(mel.values.allSatisfy { $0 >= -4 && $0 <= 4 })
    #expect(mel.window(at: 65).count == 80 * 16)
    #expect(mel.windowStarts().last == 65)
  }

  @Test func shortSpeechIsRefused() throws {
    let short = Recording(samples: [Float](repeating: 0.5, count: 2999), rate: 16_000)
    let error = #expect(throws: ModelError.self) { try MelSpectrogram(short) }
    #expect(error?.code == .invalidValue)
    let enough = Recording(samples: [Float](repeating: 0.5, count: 3000), rate: 16_000)
    #expect(try MelSpectrogram(enough).windowStarts() == [0, 0])
  }
}
