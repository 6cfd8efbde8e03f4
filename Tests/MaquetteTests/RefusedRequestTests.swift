import Foundation
import Maquette
import ModelQuantization
import OnnxFormat
import TensorCore
import Testing

/// Requests with options that would do nothing, or that contradict each other.
@Suite final class RefusedRequestTests: FolderTests {
  private func expectUsage(
    _ text: String, _ location: SourceLocation = #_sourceLocation, _ body: () throws -> Void
  ) {
    let error = #expect(throws: ModelError.self, sourceLocation: location) { try body() }
    #expect(
      error?.code == .usage && error?.message.contains(text) ?? false,
      "\(String(describing: error))", sourceLocation: location)
  }

  @Test func optionsOfInt8AreRefusedInFloat32() throws {
    let changes: [(String, (inout Conversion) -> Void)] = [
      ("--calibration", { $0.calibration = RoadTests.samples }),
      ("--keep-samples", { $0.keptSamples = "kept" }), ("--sketch", { $0.sketch = "sketch" }),
      ("--method", { $0.method = .minMax }), ("--rounding", { $0.rounding = .nearest }),
      ("--weight-noise", { $0.weightNoise = 0.1 }), ("--keep-float", { $0.keptFloat = ["a"] }),
      ("--wide", { $0.wide = ["all"] }), ("--wide-share", { $0.wideShare = 0 }),
    ]
    for (name, change) in changes {
      var conversion = Conversion(model: RoadTests.model, output: path("m.maq"))
      change(&conversion)
      expectUsage("\(name): of int8 bundles") { _ = try conversion.run() }
    }
    #expect(!FileManager.default.fileExists(atPath: path("m.maq")))
  }

  @Test func nodesThatAreNotThereAreRefused() throws {
    var conversion = Conversion(model: RoadTests.model, output: path("m.maq"))
    conversion.precision = .int8
    conversion.calibration = RoadTests.samples
    conversion.keptFloat = ["nosuch"]
    expectUsage("--keep-float: there is no node 'nosuch'") { _ = try conversion.run() }
    (conversion.keptFloat, conversion.wide) = ([], ["all", "nosuch"])
    expectUsage("--wide: there is no node 'nosuch'") { _ = try conversion.run() }
  }

  @Test func aStateNeedsTheFileThatHasIt() throws {
    var request = Execution(model: RoadTests.model, output: path("out"))
    request.state = "first"
    expectUsage("--state") { _ = try request.run() }
  }

  @Test func anInputIsGivenOnce() throws {
    let file = RoadTests.samples + "/set_1.npz"
    expectUsage("'audio' is given twice") {
      _ = try Execution(
        model: RoadTests.model, inputs: [("audio", file), ("faces", file), ("audio", file)],
        output: path("out")
      ).run()
    }
  }

  @Test func mediaFitTheInputsThatTheyAreFor() throws {
    let speech = RoadTests.golden.appending(path: "media/speech/cards_001.wav").path()
    let face = RoadTests.golden.appending(path: "media/face.png").path()
    func run(_ inputs: [(String, String)]) throws {
      _ = try Execution(
        model: RoadTests.model, inputs: inputs.map { (name: $0.0, file: $0.1) },
        output: path("out")
      ).run()
    }
    expectUsage("is no face for input 'faces'") { try run([("faces", speech), ("audio", face)]) }
    expectUsage("is a second audio") {
      try run([("audio", speech), ("audio", speech), ("faces", face)])
    }
  }

  /// The ranges leave them out; the outcome says how many there were.
  @Test func calibrationValuesThatAreNotFiniteAreReported() throws {
    try FileManager.default.createDirectory(
      atPath: path("samples"), withIntermediateDirectories: true)
    for number in 0..<3 {
      var values = (0..<24).map { Float(($0 * 7919 + number * 104_729) % 1009) / 250 - 2 }
      if number == 2 { values[5] = .infinity }
      try NumpyArchive.write(
        [("x", Tensor(try Shape([3, 8]), values))], path: path("samples/set_\(number).npz"))
    }
    var conversion = Conversion(
      model: RoadTests.golden.appending(path: "exports/classifier-d1.onnx").path(),
      output: path("m.maq"))
    conversion.precision = .int8
    conversion.calibration = path("samples")
    let text = try conversion.run().text
    #expect(text.contains("values that are not finite are left out: 1 of 'x'"), "\(text)")
  }
}
