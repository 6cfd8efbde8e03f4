import Foundation
import MediaIO
import TensorCore
import Testing

@testable import MediaIO

/// What Pillow and librosa make of the same clips.
@Suite struct BridgeMediaTests {
  @Test(arguments: ["family", "welcome"])
  func shadesArePillows(word: String) throws {
    let golden = try #require(try Golden.arrays("lips/goldens.npz")["\(word)_shades"])
    let frame = try Image(contentsOf: Golden.path("lips/word-\(word)/00009.png"))
    let crop = GreyCrop(frame, columns: 59..<195, rows: 95..<231, size: 112)
    #expect(crop.pixels.map(Double.init) == golden)
    // Larger than what it is made of, and one point.
    let grown = GreyCrop(Image(width: 3, height: 2, grey: 9), columns: 0..<3, rows: 0..<2, size: 8)
    #expect(grown.pixels == [UInt8](repeating: 9, count: 64))
    #expect(GreyCrop(frame, columns: 0..<1, rows: 0..<1, size: 1).pixels.count == 1)
  }

  @Test func speechIsHeardAsLibrosaHearsIt() throws {
    let golden = try #require(try Golden.arrays("lips/goldens.npz")["heard"])
    let mel = try HeardMel(
      Recording(contentsOf: Golden.path("lips/word-family.wav")), columns: 116)
    #expect(mel.values.count == golden.count)
    let worst = zip(mel.values, golden).map { abs(Double($0) - $1) }.max() ?? 1
    #expect(worst < 1e-4, "\(worst)")
  }

  @Test func speechIsSpokenAsLibrosaSeesIt() throws {
    let golden = try #require(try Golden.arrays("lips/goldens.npz")["spoken"])
    let samples = try Recording(contentsOf: Golden.path("lips/sentence.wav")).samples
    let mel = SpokenMel.values(of: samples)
    #expect(mel.count == golden.count)
    let worst = zip(mel, golden).map { abs($0 - $1) }.max() ?? 1
    #expect(worst < 1e-4, "\(worst)")
  }

  @Test(arguments: [400, 640, 30, 7])
  func transformsAreTheSumsThatTheyStandFor(length: Int) {
    let signal = (0..<length).map { Double(($0 * 37 + 11) % 23) - 11 }
    var (real, imaginary) = (signal, [Double](repeating: 0, count: length))
    FourierTransform(length).transform(&real, &imaginary)
    for bin in [0, 1, length / 2, length - 1] {
      var (x, y) = (0.0, 0.0)
      for (index, value) in signal.enumerated() {
        let turn = -2 * Double.pi * Double(index * bin % length) / Double(length)
        x += value * cos(turn)
        y += value * sin(turn)
      }
      #expect(abs(real[bin] - x) < 1e-8 && abs(imaginary[bin] - y) < 1e-8)
    }
  }

  @Test func aSpectrumGoesBack() {
    let transform = ShortTimeTransform(length: 64, hop: 16)
    let signal = (0..<320).map { sin(Double($0) * 0.3) + 0.2 * cos(Double($0) * 1.1) }
    let spectrum = transform.spectrum(of: signal, columns: 21)
    let again = transform.signal(
      real: spectrum.real, imaginary: spectrum.imaginary, count: signal.count)
    #expect(zip(signal, again).allSatisfy { abs($0 - $1) < 1e-9 })
  }

  @Test func melBecomesSpeechOfThatMel() throws {
    let samples = Array(
      try Recording(contentsOf: Golden.path("lips/sentence.wav")).samples[8000..<16_000])
    let mel = SpokenMel.values(of: samples)
    let columns = 1 + samples.count / SpokenMel.hop
    let speech = SpokenMel.speech(mel, columns: columns, iterations: 8)
    #expect(speech.rate == 16_000 && speech.samples.count == columns * SpokenMel.hop)
    #expect(abs((speech.samples.map(abs).max() ?? 0) - 0.9) < 1e-5)
    let again = SpokenMel.values(of: Array(speech.samples.prefix(samples.count)))
    let error = zip(mel, again).reduce(0) { $0 + abs($1.0 - $1.1) } / Double(mel.count)
    #expect(error < 0.12, "\(error)")
  }
}
