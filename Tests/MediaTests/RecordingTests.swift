import Foundation
import MediaIO
import TensorCore
import Testing

@Suite struct RecordingTests {
  private func code(_ path: String) -> ModelError.Code? {
    do {
      _ = try Recording(contentsOf: path)
      return nil
    } catch { return error.code }
  }

  @Test func aWrittenFileReadsBack() throws {
    let scratch = try Scratch()
    let samples: [Float] = (0..<1000).map { Float($0 % 100) / 128 - 0.25 }
    try Recording(samples: samples, rate: 22_050).write(to: scratch.path("a.wav"))
    let read = try Recording(contentsOf: scratch.path("a.wav"))
    #expect(read.rate == 22_050)
    #expect(read.samples == samples)
  }

  @Test func channelsAreAveraged() throws {
    let stereo = try Recording(
      contentsOf: Golden.path("resampling/cards_001-22050-stereo.wav"))
    #expect(stereo.samples.count == 24_154)
  }

  @Test func missingAndForeignFilesAreNamed() throws {
    let scratch = try Scratch()
    #expect(code(scratch.path("none.wav")) == .missingInput)
    #expect(code(scratch.folder.path()) == .missingInput)
    #expect(code(try scratch.write([], "empty.wav")) == .malformedInput)
    #expect(code(try scratch.write(Array("RIFF".utf8), "four.wav")) == .malformedInput)
    let text = Array("this is no sound at all".utf8)
    #expect(code(try scratch.write(text, "text.wav")) == .unsupportedFeature)
    let hollow = Array("RIFF....WAVE".utf8) + [UInt8](repeating: 0, count: 100)
    #expect(code(try scratch.write(hollow, "hollow.wav")) == .malformedInput)
    let flac = Array("fLaC".utf8) + [UInt8](repeating: 255, count: 100)
    #expect(code(try scratch.write(flac, "bad.flac")) == .malformedInput)
    let ogg = Array("OggS".utf8) + [UInt8](repeating: 1, count: 100)
    #expect(code(try scratch.write(ogg, "bad.ogg")) == .malformedInput)
  }

  @Test func silenceIsRefused() throws {
    let scratch = try Scratch()
    let silent = Recording(samples: [Float](repeating: 0, count: 8000), rate: 16_000)
    try silent.write(to: scratch.path("silent.wav"))
    #expect(code(scratch.path("silent.wav")) == .invalidValue)
    try Recording(samples: [], rate: 16_000).write(to: scratch.path("empty.wav"))
    #expect(code(scratch.path("empty.wav")) == .invalidValue)
  }

  @Test(arguments: [13, 40, 44, 100, 10_000, 20_000])
  func everyTruncationIsFound(length: Int) throws {
    let scratch = try Scratch()
    let whole = [UInt8](try Data(contentsOf: Golden.folder.appending(path: "speech/cards_001.wav")))
    try #require(length < whole.count)
    let path = try scratch.write(Array(whole[0..<length]), "cut.wav")
    #expect(code(path) == .malformedInput)
  }

  @Test func aRateThatIsNoRateIsRefused() throws {
    let scratch = try Scratch()
    try Recording(samples: [0.5, 0.5, 0.5], rate: 7).write(to: scratch.path("slow.wav"))
    #expect(code(scratch.path("slow.wav")) == .limitExceeded)
  }
}
