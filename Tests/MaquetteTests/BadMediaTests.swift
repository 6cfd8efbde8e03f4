import Foundation
import MediaIO
import TensorCore
import Testing

@testable import Maquette

/// Recordings and pictures as people have them: each becomes frames or is refused by name.
@Suite final class BadMediaTests: FolderTests {
  /// Networks of no meaning, one of each way from speech to a face.
  static let networks = ["wav2-lip/tiny/generator-d1", "context-aware-lip-sync/tiny/whole-d1"]

  private func file(_ name: String) -> String { RoadTests.golden.appending(path: name).path() }

  /// A second of somebody's speech.
  private func speech() throws -> Recording {
    let whole = try Recording(contentsOf: file("media/speech/cards_001.wav"))
    return Recording(samples: Array(whole.samples.prefix(16_000)), rate: 16_000)
  }

  private func request(_ network: String, audio: String?, face: String?) -> Execution {
    var request = Execution(
      model: file("families/\(network).onnx"), output: path(UUID().uuidString))
    request.media.audio = audio
    request.media.face = face
    return request
  }

  @Test(arguments: networks)
  func recordingsThatCannotBeHeardAreNamed(network: String) throws {
    func code(_ audio: String?) -> ModelError.Code? {
      let request = request(network, audio: audio, face: file("media/face.png"))
      return #expect(throws: ModelError.self) { try request.run() }?.code
    }
    #expect(code(nil) == .missingInput)
    #expect(code(path("nowhere.wav")) == .missingInput)
    try Recording(samples: [Float](repeating: 0, count: 16_000), rate: 16_000)
      .write(to: path("silent.wav"))
    #expect(code(path("silent.wav")) == .invalidValue)
    try Recording(samples: Array(try speech().samples.suffix(2_000)), rate: 16_000)
      .write(to: path("short.wav"))
    #expect(code(path("short.wav")) == .invalidValue)
    try speech().write(to: path("whole.wav"))
    let whole = try Data(contentsOf: URL(filePath: path("whole.wav")))
    try whole.prefix(9_000).write(to: URL(filePath: path("cut.wav")))
    #expect(code(path("cut.wav")) == .malformedInput)
    try Data("no sound".utf8).write(to: URL(filePath: path("text.wav")))
    #expect(code(path("text.wav")) == .malformedInput)
    try Data("nor is this any sound".utf8).write(to: URL(filePath: path("prose.wav")))
    #expect(code(path("prose.wav")) == .unsupportedFeature)
  }

  /// Two channels, or 44.1 kHz, give as many frames as the recording that they were made of.
  @Test(arguments: networks)
  func stereoAndOtherRatesAreHeard(network: String) throws {
    let whole = file("media/speech/cards_001.wav")
    let fast = try Recording(contentsOf: whole).resampled(to: 44_100).samples
    try Recording(samples: fast, rate: 44_100).write(to: path("fast.wav"))
    let recordings = [
      whole, path("fast.wav"), file("media/resampling/cards_001-22050-stereo.wav"),
    ]
    let counts = try recordings.map {
      try request(network, audio: $0, face: file("media/face.png")).run().frames
    }
    #expect(Set(counts).count == 1)
    #expect((counts[0] ?? 0) > 20)
  }

  @Test(arguments: networks)
  func greyAndTinyFacesAreDrawnOn(network: String) throws {
    try Recording(samples: Array(try speech().samples.prefix(5_000)), rate: 16_000)
      .write(to: path("little.wav"))
    try Image(width: 1, height: 1, grey: 90).writePNG(to: path("point.png"))
    for face in [file("media/grey.png"), path("point.png")] {
      let request = request(network, audio: path("little.wav"), face: face)
      #expect((try request.run().frames ?? 0) > 0)
    }
    var outside = request(network, audio: path("little.wav"), face: path("point.png"))
    outside.media.box = try Box(left: 0, top: 0, right: 2, bottom: 1)
    #expect(#expect(throws: ModelError.self) { try outside.run() }?.code == .invalidValue)
    for face in [nil, path("nowhere.png")] {
      let request = request(network, audio: path("little.wav"), face: face)
      #expect(#expect(throws: ModelError.self) { try request.run() }?.code == .missingInput)
    }
  }
}

/// Frames and speech as a video, with a program in ffmpeg's place.
@Suite final class FrameVideoTests: FolderTests {
  private func install(_ script: String) throws {
    let program = folder.appending(path: "ffmpeg").path()
    try Data("#!/bin/sh\n\(script)\n".utf8).write(to: URL(filePath: program))
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: program)
  }

  private func encode(speech: String?) throws -> (made: Bool, message: String)? {
    try FrameVideo.encode(
      frames: "frames", speech: speech, to: folder.appending(path: "video.mp4").path(),
      search: "/nowhere:" + folder.path())
  }

  @Test func framesAndSpeechGoToFfmpeg() throws {
    try install("for last; do :; done; echo \"$@\" > \"$last\"")
    #expect(try #require(try encode(speech: "speech.wav")).made)
    let video = folder.appending(path: "video.mp4")
    let words = try String(contentsOf: video, encoding: .utf8).split(separator: " ")
    #expect(words.contains("frames/%05d.png") && words.contains("speech.wav"))
    #expect(words.firstIndex(of: "-framerate").map { words[$0 + 1] } == "25")
    #expect(try #require(try encode(speech: nil)).made)
    #expect(try !String(contentsOf: video, encoding: .utf8).contains("speech.wav"))
  }

  @Test func withoutFfmpegThereIsNoVideo() throws {
    #expect(try encode(speech: nil) == nil)
    try install("exit 3")
    let failed = try #require(try encode(speech: nil))
    #expect(!failed.made && failed.message == "ffmpeg ended with status 3")
  }
}
