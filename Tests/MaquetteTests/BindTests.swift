import Foundation
import Maquette
import MediaIO
import ModelBundle
import ModelOperators
import OnnxFormat
import TensorCore
import Testing

/// Inputs that become part of a bundle: the same results without them.
@Suite(.serialized) final class BindTests: FolderTests {
  private static let face = RoadTests.golden.appending(path: "media/face.png").path()
  private static let tiny = RoadTests.golden.appending(path: "families").path()
  private static let box = "70,75,180,185"

  private func request(_ name: String, int8: Bool, bound: [(String, String)]) throws -> Conversion {
    var conversion = Conversion(model: RoadTests.model, output: path(name))
    if int8 {
      conversion.precision = .int8
      conversion.calibration = RoadTests.samples
    }
    conversion.bindings = bound.map { (input: $0.0, file: $0.1) }
    conversion.box = try FaceBox.parse(Self.box)
    return conversion
  }

  /// The beginning of a recording.
  private func speech() throws -> String {
    let whole = try Recording(
      contentsOf: RoadTests.golden.appending(path: "media/speech/cards_001.wav").path())
    try Recording(samples: Array(whole.samples.prefix(7000)), rate: whole.rate)
      .write(to: path("short.wav"))
    return path("short.wav")
  }

  private func run(
    _ bundle: String, to output: String, face: String?, tier: String? = nil
  ) throws -> [Tensor] {
    var request = Execution(model: bundle, output: path(output))
    request.media.audio = try speech()
    request.media.face = face
    request.media.box = try FaceBox.parse(Self.box)
    request.options = ExecutionOptions(threads: 1, tier: tier)
    let outcome = try request.run()
    #expect(outcome.frames == 8)
    return [
      try NumpyArray.read(path: path("\(output)/frames.npy")),
      try NumpyArray.read(path: path("\(output)/address.npy")),
    ]
  }

  @Test func aBoundInt8BundleGivesTheSameBytes() throws {
    _ = try request("whole.maq", int8: true, bound: []).run()
    let outcome = try request("bound.maq", int8: true, bound: [("faces", Self.face)]).run()
    #expect(outcome.passed)
    #expect(outcome.text.contains("bound       faces (main): "))
    for tier in [nil, "scalar"] {
      let whole = try run(path("whole.maq"), to: "whole", face: Self.face, tier: tier)
      #expect(try run(path("bound.maq"), to: "bound", face: nil, tier: tier) == whole)
    }
    // Frames are put back where a picture is given all the same.
    #expect(try Image(contentsOf: path("bound/frames/00000.png")).width == 64)
    _ = try run(path("bound.maq"), to: "put", face: Self.face)
    #expect(
      try Image(contentsOf: path("put/frames/00000.png")).pixels
        == Image(contentsOf: path("whole/frames/00000.png")).pixels)
    var exact = Verification(model: path("bound.maq"))
    exact.exact = true
    #expect(try exact.run().passed)
    // Binding what is quantized already is the same.
    var again = Conversion(model: path("whole.maq"), output: path("again.maq"))
    again.bindings = [("faces", Self.face)]
    again.box = try FaceBox.parse(Self.box)
    #expect(try again.run().passed)
    #expect(
      try run(path("again.maq"), to: "again", face: nil)
        == run(path("bound.maq"), to: "bound", face: nil))
  }

  @Test func aBoundFloatBundleAgrees() throws {
    let outcome = try request("bound.maq", int8: false, bound: [("faces", Self.face)]).run()
    #expect(outcome.passed)
    let whole = try run(RoadTests.model, to: "whole", face: Self.face)
    let bound = try run(path("bound.maq"), to: "bound", face: nil)
    for (a, b) in zip(whole, bound) {
      #expect(zip(a.floats(), b.floats()).allSatisfy { abs($0 - $1) < 2e-5 })
    }
    // It calibrates without a picture, too.
    try FileManager.default.createDirectory(
      atPath: path("speech"), withIntermediateDirectories: false)
    try FileManager.default.moveItem(atPath: try speech(), toPath: path("speech/short.wav"))
    var int8 = Conversion(model: path("bound.maq"), output: path("int8.maq"))
    int8.precision = .int8
    int8.calibration = path("speech")
    #expect(try int8.run().passed)
    #expect(try Inspection(of: path("int8.maq")).text.contains("bound.faces = float32[1×6×64×64]"))
  }

  @Test func theSameRequestGivesTheSameBytes() throws {
    for name in ["a.maq", "b.maq"] {
      _ = try request(name, int8: false, bound: [("faces", Self.face)]).run()
    }
    #expect(
      try Data(contentsOf: URL(filePath: path("a.maq")))
        == Data(contentsOf: URL(filePath: path("b.maq"))))
  }

  /// The other families' faces, which one row of another input decides each frame of.
  @Test(arguments: [
    ("wav2-lip/tiny/generator-d1.onnx", "faces"), ("wav2-lip/tiny/generator-d3.onnx", "faces"),
    ("text-to-audio-embedding/tiny/base-d2.onnx", "faces"),
    ("context-aware-lip-sync/tiny/face-d3.onnx", "face"),
    ("context-aware-lip-sync/tiny/whole-d4.onnx", "face"),
    ("wav2-lip/tiny/static-prefixed-generator-d3.onnx", "faces"),
  ])
  func everyTalkingFaceIsBound(model: String, input: String) throws {
    var conversion = Conversion(model: "\(Self.tiny)/\(model)", output: path("bound.maq"))
    conversion.bindings = [(input, Self.face)]
    let outcome = try conversion.run()
    #expect(outcome.passed && outcome.text.contains("bound       \(input) (main)"))
    let text = try Inspection(of: path("bound.maq")).text
    #expect(text.contains("bound.\(input) = float32["))
    #expect(!text.contains("input      \(input) "))
  }

  /// Both samples are of faces of their own.
  @Test func goldensOfOtherValuesDoNotHold() throws {
    var conversion = try request(
      "own.maq", int8: false, bound: [("faces", RoadTests.samples + "/set_1.npz:faces")])
    conversion.golden = RoadTests.samples
    let rows = try NumpyArchive.read(path: RoadTests.samples + "/set_1.npz")
    let faces = try #require(rows.first { $0.name == "faces" }).tensor
    let outcome = try conversion.run().text
    #expect(outcome.contains("of 1 recorded with other values of what is bound"), "\(outcome)")
    let contents = try BundleReader(path: path("own.maq")).contents(operators: allOperators)
    #expect(contents.goldens.count == 2)
    for golden in contents.goldens { #expect(golden.inputs.map(\.name) == ["audio"]) }
    #expect(faces.shape[0] == 1)
  }

  @Test func numbersAreBoundToo() throws {
    var conversion = Conversion(
      model: RoadTests.golden.appending(path: "ports/rows.onnx").path(), output: path("rows.maq"))
    conversion.bindings = [("factors", "0.5")]
    #expect(try conversion.run().passed)
    #expect(try Inspection(of: path("rows.maq")).text.contains("bound.factors = "))
  }

  @Test func whatCannotBeBoundIsRefused() throws {
    let samples = RoadTests.samples + "/set_1.npz"
    let recording = try speech()
    for (bound, code) in [
      ([("voice", Self.face)], ModelError.Code.usage),
      ([("faces", Self.face), ("faces", Self.face)], .usage),
      ([("audio", Self.face)], .usage),
      ([("audio", recording)], .usage),
      ([("faces", "nowhere.npy")], .missingInput),
      ([("faces", samples + ":none")], .missingInput),
      ([("faces", samples + ":audio")], .shapeMismatch),
      ([("faces", "face.jpeg")], .usage),
      ([("faces", Self.face), ("audio", samples)], .usage),
    ] {
      let error = #expect(throws: ModelError.self) {
        try self.request("never.maq", int8: false, bound: bound).run()
      }
      #expect(error?.code == code, "\(bound): \(String(describing: error))")
    }
    var plain = Conversion(
      model: RoadTests.golden.appending(path: "exports/classifier-d1.onnx").path(),
      output: path("never.maq"))
    plain.bindings = [("x", Self.face)]
    #expect(#expect(throws: ModelError.self) { try plain.run() }?.code == .unsupportedFeature)
    #expect(!FileManager.default.fileExists(atPath: path("never.maq")))
  }

  @Test func whatIsBoundIsNoInputAnyMore() throws {
    _ = try request("bound.maq", int8: false, bound: [("faces", Self.face)]).run()
    let samples = RoadTests.samples + "/set_1.npz"
    let run = Execution(
      model: path("bound.maq"), inputs: [("audio", samples), ("faces", samples)],
      output: path("out"))
    let error = #expect(throws: ModelError.self) { try run.run() }
    #expect(error?.code == .usage)
    #expect(error?.message.contains("was bound when the bundle was made") == true)
    var verification = Verification(model: path("bound.maq"))
    verification.golden = RoadTests.samples
    #expect(#expect(throws: ModelError.self) { try verification.run() }?.code == .invalidValue)
    verification.golden = nil
    verification.carried = [CarriedState(output: "address", input: "faces")]
    #expect(throws: ModelError.self) { try verification.run() }
  }

  /// A part's input that another part makes is not the user's to bind.
  @Test func inputsOfLaterPartsStay() throws {
    let roles = ["phones", "context", "face"]
    func conversion(_ bound: [(String, String)]) -> Conversion {
      var conversion = Conversion(
        models: roles.map { ($0, "\(Self.tiny)/context-aware-lip-sync/tiny/\($0)-d1.onnx") },
        output: path("parts.maq"))
      conversion.bindings = bound.map { (input: $0.0, file: $0.1) }
      return conversion
    }
    #expect(try conversion([("face", Self.face)]).run().text.contains("face (face)"))
    var run = Execution(model: path("parts.maq"), output: path("out"))
    run.media.audio = try speech()
    #expect(try run.run().frames == 8)
    #expect(
      #expect(throws: ModelError.self) { try conversion([("audio", "0")]).run() }?.code == .usage)
  }
}
