import Foundation
import Maquette
import MediaIO
import OnnxFormat
import TensorCore
import Testing

/// The trained talking faces on held-out utterances: what they make against what PyTorch made.
@Suite(.serialized) final class TalkingRoadTests: FolderTests {
  static let families = RoadTests.golden.appending(path: "families").path()
  static let media = RoadTests.golden.appending(path: "media/spoken").path()
  static let text = families + "text-to-audio-embedding/spoken/"
  static let parts = ["encoder", "refine", "speaker", "audio", "base"]

  private func file(_ relative: String) -> String {
    RoadTests.golden.appending(path: relative).path()
  }

  private func spoken(_ name: String) -> String { file("media/spoken/" + name) }

  private func golden(_ family: String, _ name: String) throws -> [String: Tensor] {
    let path = file("families/\(family)/spoken/\(name).npz")
    return Dictionary(
      try NumpyArchive.read(path: path).map { ($0.name, $0.tensor) }, uniquingKeysWith: { $1 })
  }

  /// The greatest difference of the rows that both have.
  private func distance(_ path: String, _ expected: Tensor) throws -> Double {
    let made = try NumpyArray.read(path: path)
    try #require(made.count == expected.count)
    return zip(made.doubles(), expected.doubles()).reduce(0) { max($0, abs($1.0 - $1.1)) }
  }

  private func textBundle() throws -> String {
    var conversion = Conversion(
      models: Self.parts.map {
        (part: $0, file: file("families/text-to-audio-embedding/spoken/\($0).onnx"))
      }, output: path("text.maq"))
    conversion.settings["lexicon"] = file("families/text-to-audio-embedding/lexicon.txt")
    #expect(try conversion.run().passed)
    return path("text.maq")
  }

  private func execution(_ model: String, _ output: String) throws -> Execution {
    var run = Execution(model: model, output: path(output))
    run.media.face = spoken("face-5.png")
    run.media.box = try Box(left: 70, top: 75, right: 180, bottom: 185)
    return run
  }

  @Test func phonesAndAFaceBecomeWhatPyTorchMade() throws {
    let golden = try golden("text-to-audio-embedding", "held-5")
    var run = try execution(try textBundle(), "phones")
    let lines = try String(contentsOfFile: spoken("held-5.phones"), encoding: .utf8)
      .split(separator: "\n")
    run.media.options["phones"] = lines.compactMap { $0.split(separator: " ").last }
      .joined(separator: " ")
    let outcome = try run.run()
    let durations = try #require(golden["durations"]).integers()
    let listing = try String(contentsOfFile: path("phones/phones.txt"), encoding: .utf8)
    #expect(
      listing.split(separator: "\n").compactMap {
        $0.split(separator: " ").last.flatMap { Int64($0) }
      }
        == durations)
    #expect(try distance(path("phones/f_aud.npy"), try #require(golden["f_aud"])) < 1e-3)
    #expect(outcome.frames == Int(durations.reduce(0, +)))
  }

  @Test func textAndSpeechDriveOneBundle() throws {
    let golden = try golden("text-to-audio-embedding", "held-5")
    let durations = try #require(golden["spoken_durations"]).integers()
    var run = try execution(try textBundle(), "both")
    run.media.audio = spoken("held-5.wav")
    let lines = try String(contentsOfFile: spoken("held-5.phones"), encoding: .utf8)
      .split(separator: "\n")
    run.media.options = [
      "phones": lines.compactMap { $0.split(separator: " ").last }.joined(separator: " "),
      "durations": durations.map(String.init).joined(separator: ","),
    ]
    // With the durations of the speech, features of the text are close to those of the speech.
    #expect(try #require(try run.run().figures["latent-cosine"]) > 0.93)

    var speech = try execution(path("text.maq"), "speech")
    speech.media.audio = spoken("held-5.wav")
    #expect(try speech.run().frames == golden["f_speech"]?.shape[0])
    #expect(try distance(path("speech/f_aud.npy"), try #require(golden["f_speech"])) < 1e-2)
  }

  /// Networks of no meaning, joined: what comes out is what the graphs give one by one.
  @Test(arguments: ["d1", "d3"])
  func aContextAwareFaceSpeaksFromText(dialect: String) throws {
    let roles = [
      ("text-to-audio-embedding", ["encoder", "refine", "speaker"]),
      ("context-aware-lip-sync", ["phones", "context", "face"]),
    ]
    let conversion = Conversion(
      models: roles.flatMap { (family, roles) in
        roles.map { ($0, file("families/\(family)/tiny/\($0)-\(dialect).onnx")) }
      }, output: path("joined.maq"))
    #expect(try conversion.run().passed)
    let golden = Dictionary(
      try NumpyArchive.read(path: file("families/text-to-audio-embedding/tiny/joined.npz"))
        .map { ($0.name, $0.tensor) }, uniquingKeysWith: { $1 })
    var run = try execution(path("joined.maq"), "joined")
    run.media.face = file("media/face.png")
    run.media.options = [
      "phones": "sil HH AH0 L OW1 sp Y EH1 S sil", "durations": "2 1 2 0 3 1 1 2 2 3",
    ]
    #expect(try run.run().frames == 17)
    #expect(try distance(path("joined/f_aud.npy"), try #require(golden["f_aud"])) < 1e-4)
    #expect(try distance(path("joined/lip_units.npy"), try #require(golden["lip_units"])) < 1e-4)
    let frames = try NumpyArray.read(path: path("joined/frame.npy"))
    let shown = try #require(golden["shown"]).integers()
    let expected = try #require(golden["frame"]).doubles()
    let area = 3 * 64 * 64
    for (place, index) in shown.enumerated() {
      let made = frames.doubles()[Int(index) * area..<(Int(index) + 1) * area]
      #expect(zip(made, expected[(place * area)...]).allSatisfy { abs($0 - $1) < 1e-4 })
    }

    // The same bundle from speech, and with neighbours that come at once.
    run.media.options = ["mode": "block"]
    run.media.audio = try beginning("held-5.wav")
    run.output = path("heard")
    let outcome = try run.run()
    #expect(outcome.figures["block-unit-cosine"] != nil)
    #expect(outcome.frames == 27)

    let tiny = "families/text-to-audio-embedding/tiny/"
    _ = try Conversion(
      models: [
        ("encoder", file(tiny + "encoder-\(dialect).onnx")),
        ("audio", file("families/context-aware-lip-sync/tiny/phones-\(dialect).onnx")),
        ("base", file(tiny + "base-\(dialect).onnx")),
      ], output: path("alone.maq")
    ).run()
    run.model = path("alone.maq")
    #expect(#expect(throws: ModelError.self) { try run.run() }?.code == .usage)
  }

  @Test func whatCannotBeSaidIsRefused() throws {
    let bundle = try textBundle()
    func code(_ change: (inout Execution) -> Void) throws -> ModelError.Code? {
      var run = try execution(bundle, "refused")
      change(&run)
      return #expect(throws: ModelError.self) { try run.run() }?.code
    }
    #expect(try code { _ in } == .missingInput)
    for text in ["", "  ", "…"] { #expect(try code { $0.media.text = text } == .invalidValue) }
    #expect(try code { $0.media.options["phones"] = "sil QQ sil" } == .invalidValue)
    #expect(
      try code {
        $0.media.text = "yes"
        $0.media.options["durations"] = "1,2"
      } == .usage)
    #expect(
      try code {
        $0.media.text = "yes"
        $0.media.face = nil
      } == .missingInput)
    #expect(
      try code {
        $0.media.audio = self.spoken("held-5.wav")
        $0.media.options["stretch"] = "2"
      } == .usage)
  }

  /// The first second or so of a held-out utterance.
  private func beginning(_ name: String) throws -> String {
    let whole = try Recording(contentsOf: spoken(name))
    let count = Int(1.2 * Double(whole.rate))
    try Recording(samples: Array(whole.samples.prefix(count)), rate: whole.rate)
      .write(to: path(name))
    return path(name)
  }

  @Test func lipsAreSynchronisedInContext() throws {
    let golden = try #require(try golden("context-aware-lip-sync", "held-5")["units"])
    let conversion = Conversion(
      models: ["phones", "context", "face"].map {
        (part: $0, file: file("families/context-aware-lip-sync/spoken/\($0).onnx"))
      }, output: path("context.maq"))
    #expect(try conversion.run().passed)
    var run = try execution(path("context.maq"), "centre")
    run.media.audio = try beginning("held-5.wav")
    let outcome = try run.run()
    let units = try NumpyArray.read(path: path("centre/lip_units.npy"))
    #expect(outcome.frames == units.shape[0])
    // Frames whose neighbours the whole utterance has, too.
    let width = golden.shape[1]
    for (made, expected) in zip(units.doubles(), golden.doubles()).prefix(14 * width) {
      #expect(abs(made - expected) < 2e-2)
    }

    run.output = path("block")
    run.media.options["mode"] = "block"
    let cosine = try #require(try run.run().figures["block-unit-cosine"])
    #expect(cosine > 0.9 && cosine < 1)
    run.media.options["mode"] = "diagonal"
    #expect(throws: ModelError.self) { try run.run() }
  }

  @Test func theCriticSaysWhatPyTorchSaid() throws {
    let samples = file("families/sync-critic/spoken/held-5.npz")
    let run = Execution(
      model: file("families/sync-critic/spoken/critic.onnx"),
      inputs: [("audio", samples), ("face", samples)], output: path("critic"))
    _ = try run.run()
    let golden = try golden("sync-critic", "held-5")
    for name in ["audio_embedding", "face_embedding"] {
      #expect(try distance(path("critic/\(name).npy"), try #require(golden[name])) < 1e-4)
    }
  }

  @Test func aMemoryIsShown() throws {
    var request = MemoryRequest(
      model: file("families/audio-lip-memory/spoken/generator.onnx"), output: path("memory"))
    request.media.audio = spoken("held-5.wav")
    request.media.face = spoken("face-5.png")
    request.media.box = try Box(left: 70, top: 75, right: 180, bottom: 185)
    request.phones = spoken("held-5.phones")
    request.against = request.model
    let report = try request.run()
    let memory = try #require(report.memories.first)
    #expect(memory.topAgreement == 1)
    #expect(memory.clearAgreement == 1)
    #expect(memory.meanDivergence == 0)
    #expect(try #require(memory.purity) > 2 * (try #require(memory.chance)))
    #expect(FileManager.default.fileExists(atPath: path("memory/address.png")))
    let strip = try Image(contentsOf: path("memory/one-slot.png"))
    #expect(strip.width == 12 * 66 + 2 && strip.height == 8 * 66 + 2)
    #expect(try report.json().contains("\"purity\""))
    let page = try String(contentsOfFile: report.page, encoding: .utf8)
    for part in ["href=\"address.png\"", "href=\"one-slot.png\"", ">1 s<", "slots down", "84…95"] {
      #expect(page.contains(part), "\(part)")
    }

    request.model = file("families/sync-critic/tiny/critic-d1.onnx")
    let error = #expect(throws: ModelError.self) { try request.run() }
    #expect(error?.code == .unsupportedFeature)
  }
}
