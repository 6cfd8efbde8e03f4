import Foundation
import MediaIO
import TensorCore
import Testing

@Suite struct ResamplingTests {
  private func tone(_ hertz: Double, rate: Int, count: Int) -> [Float] {
    (0..<count).map { Float(sin(2 * Double.pi * hertz * Double($0) / Double(rate))) }
  }

  /// Decibels of `signal` over the difference from `other`, away from the ends.
  private func ratio(_ signal: [Double], _ other: [Double], skipping edge: Int = 0) -> Double {
    var (power, error) = (0.0, 0.0)
    for index in edge..<min(signal.count, other.count) - edge {
      power += signal[index] * signal[index]
      error += (signal[index] - other[index]) * (signal[index] - other[index])
    }
    return 10 * log10(power / error)
  }

  @Test(arguments: [8_000, 11_025, 22_050, 44_100, 48_000, 96_000])
  func aToneInTheBandKeepsItsShape(rate: Int) throws {
    let resampler = try Resampler(from: rate, to: 16_000)
    let result = resampler.run(tone(1000, rate: rate, count: rate / 4))
    #expect(result.count == 4000 + (rate % 4 == 0 ? 0 : 1) || result.count == 4000)
    let ideal = tone(1000, rate: 16_000, count: result.count)
    let decibels = ratio(ideal.map(Double.init), result.map(Double.init), skipping: 300)
    #expect(decibels > 90, "\(decibels) dB")
  }

  @Test(arguments: [22_050, 44_100, 48_000])
  func aToneAboveTheBandIsGone(rate: Int) throws {
    let result = try Resampler(from: rate, to: 16_000).run(tone(8_400, rate: rate, count: rate / 4))
    let loudest = result[300..<result.count - 300].map(abs).max() ?? 1
    #expect(loudest < 1e-4, "\(loudest)")
  }

  @Test func aStereoFileBecomesTheRecordingItWasMadeOf() throws {
    let golden = try Golden.arrays("resampling/cards_001.npz")
    let file = Golden.path("resampling/cards_001-22050-stereo.wav")
    let recording = try Recording(contentsOf: file)
    #expect(recording.rate == 22_050)
    let resampled = try recording.resampled(to: 16_000).samples.map(Double.init)
    let wanted = try #require(golden["samples"])
    #expect(resampled.count == wanted.count)
    #expect(ratio(wanted, resampled) > 38, "\(ratio(wanted, resampled)) dB")
    let mel = try MelSpectrogram(recording).values
    let wantedMel = try #require(golden["mel"])
    #expect(mel.count == wantedMel.count)
    var sum = 0.0
    for (value, wanted) in zip(mel, wantedMel) { sum += abs(Double(value) - wanted) }
    #expect(sum / Double(mel.count) < 0.02, "mean difference \(sum / Double(mel.count))")
  }

  @Test func ratesOutsideTheRangeAreRefused() {
    let error = #expect(throws: ModelError.self) { try Resampler(from: 10, to: 16_000) }
    #expect(error?.code == .invalidValue)
  }
}
