import Foundation
import Maquette
import MediaIO
import TensorCore
import Testing

/// The whole road on the committed talking face: ONNX to an int8 bundle, and what the bundle can do.
@Suite(.serialized) final class RoadTests: FolderTests {
  static let golden = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../golden").standardized
  static let model = golden.appending(path: "families/audio-lip-memory/small-d1.onnx").path()
  static let samples = golden.appending(path: "families/audio-lip-memory/small").path()

  private func convert(_ name: String, from model: String = RoadTests.model) throws -> String {
    var conversion = Conversion(model: model, output: path(name))
    conversion.precision = .int8
    conversion.calibration = Self.samples
    conversion.golden = Self.samples
    #expect(try conversion.run().passed)
    return path(name)
  }

  @Test func int8IsExactOnEveryTierAndForAnyThreads() throws {
    let bundle = try convert("a.maq")
    for options in [
      ExecutionOptions(threads: 1, tier: "scalar"), ExecutionOptions(threads: 1),
      ExecutionOptions(threads: 3),
    ] {
      var verification = Verification(model: bundle)
      verification.exact = true
      verification.options = options
      let outcome = try verification.run()
      #expect(outcome.passed, "\(outcome.text)")
    }
    var against = Verification(model: bundle)
    against.golden = Self.samples
    #expect(try against.run().passed)
    against.signalToNoise = 90
    #expect(try !against.run().passed)
  }

  @Test func theSameRequestGivesTheSameBytes() throws {
    let first = try Data(contentsOf: URL(filePath: try convert("a.maq")))
    let second = try Data(contentsOf: URL(filePath: try convert("b.maq")))
    #expect(first == second)
  }

  @Test func aFloatBundleIsTheModelAndQuantizesLikeIt() throws {
    var conversion = Conversion(model: Self.model, output: path("float.maq"))
    conversion.golden = Self.samples
    #expect(try conversion.run().passed)
    #expect(try Verification(model: path("float.maq")).run().passed)
    let direct = try Verification(model: try convert("direct.maq")).run()
    let second = try Verification(model: try convert("second.maq", from: path("float.maq"))).run()
    #expect(direct.digests == second.digests)
  }

  @Test func tensorsRunFromFiles() throws {
    let request = Execution(
      model: Self.model,
      inputs: [
        ("audio", Self.samples + "/set_1.npz"), ("faces", Self.samples + "/set_1.npz"),
      ], output: path("out"))
    #expect(try request.run().passed)
    #expect(FileManager.default.fileExists(atPath: path("out/frames.npy")))
    #expect(FileManager.default.fileExists(atPath: path("out/address.npy")))
  }

  @Test func aRecordingBecomesFrames() throws {
    let speech = try Recording(
      contentsOf: Self.golden.appending(path: "media/speech/cards_001.wav").path())
    try Recording(samples: Array(speech.samples.prefix(6000)), rate: speech.rate)
      .write(to: path("short.wav"))
    var request = Execution(
      model: Self.model,
      inputs: [
        ("audio", path("short.wav")),
        ("faces", Self.golden.appending(path: "media/face.png").path()),
      ], output: path("out"))
    request.media.box = try FaceBox.parse("70,75,180,185")
    #expect(try request.run().passed)
    let frames = try FileManager.default.contentsOfDirectory(atPath: path("out/frames")).sorted()
    #expect(frames.count == 6 && frames.first == "00000.png")
    #expect(try Image(contentsOf: path("out/frames/00000.png")).width == 256)
  }

  @Test func nothingIsLeftWhereAConversionFails() throws {
    var conversion = Conversion(model: Self.model, output: path("never.maq"))
    conversion.precision = .int8
    conversion.calibration = folder.path()
    let error = #expect(throws: ModelError.self) { try conversion.run() }
    #expect(error?.code == .missingInput)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path()).isEmpty)
  }

  @Test func aBundleExportsAsOnnxThatReadsBack() throws {
    let bundle = try convert("a.maq")
    let outcome = try Export(model: bundle, output: path("q.onnx")).run()
    // The memory's shares of 16 bits come back as floats, by which an int8 value behind them may be another; AdoptionTests has the
    // graphs that keep their bits.
    for item in outcome.differences {
      #expect(item.sqnrDb > (item.output == "address" ? 70 : 35), "\(outcome.text)")
    }
    var verification = Verification(model: path("q.onnx"))
    verification.golden = Self.samples
    verification.signalToNoise = 25
    #expect(try verification.run().passed)
  }

  @Test func layersAreCompared() throws {
    let comparison = try LayerwiseComparison(
      try convert("a.maq"), against: Self.model, inputs: Self.samples, options: ExecutionOptions())
    #expect(comparison.text.contains(" layers compared"))
  }

  @Test func timesAreReported() throws {
    let benchmark = try Benchmark(
      Self.model, batch: 1, runs: 1, perOperator: true, options: ExecutionOptions())
    let json = try benchmark.json()
    for key in ["median_ms", "min_ms", "load_ms", "peak_rss_mb", "operators"] {
      #expect(json.contains("\"\(key)\""))
    }
  }

  @Test func timesBecomeAPage() throws {
    var floors = BenchmarkFloors()
    try floors.set("float32", "50")
    try floors.set("memory", "10")
    for (kind, rate) in [("memory", "9"), ("int4", "9"), ("int8", "0"), ("int8", "fast")] {
      let error = #expect(throws: ModelError.self) { try floors.set(kind, rate) }
      #expect(error?.code == .usage)
    }
    let benchmark = try Benchmark(
      Self.model, batch: 1, runs: 1, perOperator: true, floors: floors,
      options: ExecutionOptions())
    try benchmark.writePage(to: path("profile.html"))
    let page = try String(contentsOfFile: path("profile.html"), encoding: .utf8)
    for part in [
      "<svg", "<rect", "<title>all steps: ", "of the floor", "LayoutConversion", ">MMAC<",
    ] {
      #expect(page.contains(part), "\(part)")
    }
    #expect(!page.contains("<script") && !page.contains("http"))
    let brief = try Benchmark(
      Self.model, batch: 1, runs: 1, perOperator: false, options: ExecutionOptions())
    let error = #expect(throws: ModelError.self) { try brief.writePage(to: self.path("no.html")) }
    #expect(error?.code == .usage)
  }

  @Test func stateIsCarriedFromSampleToSample() throws {
    let ports = Self.golden.appending(path: "ports")
    var verification = Verification(model: ports.appending(path: "running-sum.onnx").path())
    verification.golden = ports.appending(path: "sums").path()
    #expect(try !verification.run().passed)
    verification.carried = [CarriedState(output: "total", input: "state")]
    verification.exact = true
    #expect(try verification.run().passed)
    verification.carried = [CarriedState(output: "total", input: "memory")]
    let error = #expect(throws: ModelError.self) { try verification.run() }
    #expect(error?.code == .usage)
  }

  @Test func samplesAreTimedInsteadOfMadeUpInputs() throws {
    let ports = Self.golden.appending(path: "ports")
    let benchmark = try Benchmark(
      ports.appending(path: "running-sum.onnx").path(), batch: 1, runs: 1, perOperator: false,
      samples: ports.appending(path: "sums").path(), options: ExecutionOptions())
    #expect(try benchmark.json().contains("\"samples\" : 3"))
  }

  @Test func aModelThatIsQuantizedAlreadyKeepsItsScales() throws {
    let model = Self.golden.appending(path: "quantized/convolutions-s8s8.onnx").path()
    let converted = try Conversion(model: model, output: path("q.maq")).run().text
    #expect(converted.contains("quantized   by the file: its scales and zero points are kept"))
    for file in [model, path("q.maq")] {
      let text = try Inspection(of: file).text
      #expect(text.contains("quantized  by the file: its scales and zero points are kept"))
      #expect(text.contains("1 × Softmax has no integer form"))
    }
    var conversion = Conversion(model: model, output: path("r.maq"))
    conversion.precision = .int8
    conversion.calibration = Self.samples
    let error = #expect(throws: ModelError.self) { try conversion.run() }
    #expect(error?.code == .unsupportedFeature)
  }
}
