import Foundation
import Maquette
import MediaIO
import OnnxFormat
import TensorCore
import Testing

/// Silent lips to words.
@Suite(.serialized) final class BridgeRoadTests: FolderTests {
  private static let family = RoadTests.golden.appending(path: "families/associative-bridge")
  private static let lips = RoadTests.golden.appending(path: "media/lips")

  private func file(_ name: String) -> String { Self.family.appending(path: name).path() }

  private func convert(_ name: String, words: String? = nil) throws -> String {
    var conversion = Conversion(
      models: [
        ("lip-reader", file("gru-d1.onnx")), ("target", file("gru-target-d3.onnx")),
      ], output: path(name))
    conversion.settings = ["words": words ?? file("words.txt")]
    #expect(try conversion.run().passed)
    return path(name)
  }

  @Test func lipsAreRead() throws {
    let bundle = try convert("words.maq")
    var request = Execution(model: bundle, output: path("out"))
    request.media.video = Self.lips.appending(path: "word-family").path()
    request.media.audio = Self.lips.appending(path: "word-family.wav").path()
    request.media.options = ["flip": "yes"]
    let outcome = try request.run()
    #expect(outcome.figures["class_lips"] == 5, "\(outcome.text)")
    #expect(outcome.text.contains("1. family"))
    #expect((outcome.figures["bridge_divergence"] ?? 99) < 5)
    let words = try String(contentsOfFile: path("out/words-lips.txt"), encoding: .utf8)
    #expect(words.split(separator: "\n").count == 5)
    // The settings of a bundle go on to what is made of it.
    let again = Conversion(model: bundle, output: path("again.maq"))
    _ = try again.run()
    #expect(try Inspection(of: path("again.maq")).text.contains("setting    words: 24 lines"))
  }

  /// Networks of no meaning, against what PyTorch computes.
  @Test(arguments: ["heads", "speech"], ["d1", "d2", "d3", "d4"])
  func everyNetworkGivesWhatPyTorchGives(network: String, dialect: String) throws {
    var verification = Verification(model: file("tiny/\(network)-\(dialect).onnx"))
    verification.golden = file("tiny/\(network)")
    let outcome = try verification.run()
    #expect(outcome.passed, "\(outcome.text)")
  }

  /// A network in the stages of its checkpoint says what it says as one graph.
  @Test(arguments: [
    ["gru-front-d1", "gru-memory-d3", "gru-words-d1"], ["gru-front-d3", "gru-reader-d1"],
  ])
  func stagesSayWhatTheWholeSays(stages: [String]) throws {
    let conversion = Conversion(
      models: stages.map { ($0, file("tiny/\($0).onnx")) }, output: path("stages.maq"))
    #expect(try conversion.run().passed)
    func say(_ model: String) throws -> [String: Double] {
      var request = Execution(model: model, output: path("out"))
      request.media.video = Self.lips.appending(path: "word-family").path()
      request.media.options = ["flip": "yes"]
      return try request.run().figures
    }
    let (apart, whole) = (try say(path("stages.maq")), try say(file("tiny/gru-d2.onnx")))
    #expect(apart["class_lips"] == whole["class_lips"])
    let difference = (apart["probability_lips"] ?? 0) - (whole["probability_lips"] ?? 1)
    #expect(abs(difference) < 1e-5)
  }

  /// Stages are calibrated as one, on samples of what the first of them sees.
  @Test func stagesAreCalibratedOnWhatTheFirstSees() throws {
    let folder = path("clips")
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    for sample in 0..<2 {
      let arrays = try NumpyArchive.read(path: file("calibration/set_\(sample).npz"))
      let clip = arrays.filter { $0.name == "video" }
      try NumpyArchive.write(clip, path: folder + "/\(sample).npz")
    }
    var conversion = Conversion(
      models: ["gru-front-d1", "gru-memory-d3", "gru-words-d1"].map {
        ($0, file("tiny/\($0).onnx"))
      }, output: path("stages.maq"))
    conversion.precision = .int8
    conversion.calibration = folder
    #expect(try conversion.run().passed)
    var request = Execution(model: path("stages.maq"), output: path("out"))
    request.media.video = Self.lips.appending(path: "word-family").path()
    #expect(try request.run().figures["class_lips"] != nil)
  }

  @Test func stagesThatLackOneAreNamed() throws {
    let conversion = Conversion(
      models: ["gru-front-d1", "gru-words-d1"].map { ($0, file("tiny/\($0).onnx")) },
      output: path("stages.maq"))
    _ = try conversion.run()
    var request = Execution(model: path("stages.maq"), output: path("out"))
    request.media.video = Self.lips.appending(path: "word-family").path()
    #expect(#expect(throws: ModelError.self) { try request.run() }?.code == .missingInput)
  }

  @Test(arguments: ["heads", "tcn"])
  func trainedNetworksGiveWhatPyTorchGives(network: String) throws {
    var verification = Verification(model: file("\(network)-d1.onnx"))
    verification.golden = file(network)
    #expect(try verification.run().passed)
  }

  /// Several addresses to each memory, in float and in int8.
  @Test func headsReadLips() throws {
    for int8 in [false, true] {
      // With a part that listens, for the samples hold sound as well.
      var conversion = Conversion(
        models: [
          ("lip-reader", file("heads-d1.onnx")), ("target", file("gru-target-d3.onnx")),
        ], output: path("heads.maq"))
      conversion.settings = ["words": file("words.txt")]
      if int8 {
        conversion.precision = .int8
        conversion.calibration = file("calibration")
      }
      let outcome = try conversion.run()
      #expect(outcome.passed, "\(outcome.text)")
      var request = Execution(model: path("heads.maq"), output: path("read"))
      request.media.video = Self.lips.appending(path: "word-family").path()
      #expect(try request.run().text.contains("1. family"))
    }
  }

  /// A sentence that was in no training, from the face that says it.
  @Test func lipsBecomeSpeech() throws {
    var conversion = Conversion(
      models: [
        ("speech", file("speech-d1.onnx")), ("target", file("speech-target-d1.onnx")),
      ], output: path("speech.maq"))
    conversion.golden = file("speech")
    let outcome = try conversion.run()
    #expect(outcome.passed, "\(outcome.text)")
    var request = Execution(model: path("speech.maq"), output: path("said"))
    request.media.video = Self.lips.appending(path: "sentence").path()
    request.media.audio = Self.lips.appending(path: "sentence.wav").path()
    request.media.options = ["iterations": "3"]
    let figures = try request.run().figures
    #expect((figures["mel_l1"] ?? 1) < 0.13)
    #expect((figures["bridge_divergence"] ?? 99) < 5)
    let speech = try Recording(contentsOf: path("said/speech.wav"))
    #expect(speech.rate == 16_000 && speech.samples.count == 48_000)
    // Loud where the face speaks, still before it does.
    func loudness(_ range: Range<Int>) -> Float {
      speech.samples[range].reduce(0) { $0 + $1 * $1 } / Float(range.count)
    }
    #expect(loudness(8000..<32_000) > 20 * loudness(0..<1500))

    request.media.options = ["iterations": "0"]
    #expect(#expect(throws: ModelError.self) { try request.run() }?.code == .usage)
    request.media.options = [:]
    request.media.video = Self.lips.appending(path: "word-family").path()
    #expect(#expect(throws: ModelError.self) { try request.run() }?.code == .invalidValue)
  }

  @Test func videosThatCannotBeReadAreNamed() throws {
    let bundle = try convert("words.maq")
    func expect(
      _ code: ModelError.Code, video: String?, audio: String? = nil, box: String? = nil,
      option: String = "no", model: String? = nil, _ location: SourceLocation = #_sourceLocation
    ) throws {
      var request = Execution(model: model ?? bundle, output: path("out"))
      request.media.video = video
      request.media.audio = audio
      request.media.options = ["flip": option]
      if let box { request.media.box = try FaceBox.parse(box) }
      let error = #expect(throws: ModelError.self, sourceLocation: location) { try request.run() }
      #expect(error?.code == code, "\(String(describing: error))", sourceLocation: location)
    }
    let clip = Self.lips.appending(path: "word-family").path()
    for (name, count, size) in [("short", 3, 256), ("small", 29, 64)] {
      try FileManager.default.createDirectory(
        at: folder.appending(path: name), withIntermediateDirectories: true)
      for index in 0..<count {
        try Image(width: size, height: size, grey: 99).writePNG(
          to: path("\(name)/\(index).png"))
      }
    }
    try expect(.missingInput, video: path("nowhere"))
    try expect(
      .missingInput, video: nil, audio: Self.lips.appending(path: "word-family.wav").path())
    try expect(.invalidValue, video: path("short"))
    try expect(.invalidValue, video: path("small"))
    try expect(.invalidValue, video: path("small"), box: "0,0,65,60")
    try expect(.usage, video: clip, option: "perhaps")
    try Recording(samples: [Float](repeating: 0, count: 20_000), rate: 16_000)
      .write(to: path("silent.wav"))
    try expect(.invalidValue, video: clip, audio: path("silent.wav"))
    // A model without a part that listens.
    _ = try Conversion(model: file("gru-d1.onnx"), output: path("lips.maq")).run()
    try expect(
      .usage, video: clip, audio: Self.lips.appending(path: "word-family.wav").path(),
      model: path("lips.maq"))
    // As many words as classes.
    try Data("one\ntwo\n".utf8).write(to: URL(filePath: path("two.txt")))
    try expect(
      .shapeMismatch, video: clip, model: try convert("two.maq", words: path("two.txt")))
  }

  @Test func soundOfAnotherRateIsHeard() throws {
    let clip = try Recording(contentsOf: Self.lips.appending(path: "word-family.wav").path())
    try Recording(samples: clip.resampled(to: 44_100).samples, rate: 44_100)
      .write(to: path("fast.wav"))
    var request = Execution(model: try convert("words.maq"), output: path("out"))
    request.media.video = Self.lips.appending(path: "word-family").path()
    request.media.audio = path("fast.wav")
    #expect((try request.run().figures["bridge_divergence"] ?? 99) < 5)
  }
}
