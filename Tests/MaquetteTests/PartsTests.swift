import Foundation
import Maquette
import TensorCore
import Testing

/// Several models in one bundle, each addressed by name.
@Suite final class PartsTests: FolderTests {
  private static let exports = RoadTests.golden.appending(path: "exports").path()

  private func request(_ parts: [(String, String)]) -> Conversion {
    Conversion(
      models: parts.map { (part: $0.0, file: "\(Self.exports)/\($0.1)") }, output: path("p.maq"))
  }

  private func expect(
    _ code: ModelError.Code, _ body: () throws -> Void,
    _ location: SourceLocation = #_sourceLocation
  ) {
    let error = #expect(throws: ModelError.self, sourceLocation: location) { try body() }
    #expect(error?.code == code, "\(String(describing: error))", sourceLocation: location)
  }

  @Test func twoModelsBecomeOneBundle() throws {
    let outcome = try request([
      ("classifier", "classifier-d1.onnx"), ("block", "transformer-block-d3.onnx"),
    ]).run()
    #expect(outcome.text.contains("part        block"))
    let text = try Inspection(of: path("p.maq")).text
    for line in ["part       classifier", "input      block.x", "output     classifier.y"] {
      #expect(text.contains(line), "\(text)")
    }
    #expect(try GraphListing(of: path("p.maq"), part: "block").text.contains("graph 1"))
    _ = try Benchmark(
      path("p.maq"), part: "classifier", batch: 2, runs: 1, perOperator: false,
      options: ExecutionOptions())
    var export = Export(model: path("p.maq"), output: path("c.onnx"))
    export.part = "classifier"
    _ = try export.run()
    #expect(try Inspection(of: path("c.onnx")).text.contains("input      x"))
    // A bundle of parts converts again, part for part.
    var again = Conversion(model: path("p.maq"), output: path("q.maq"))
    again.threads = 1
    #expect(try again.run().text.contains("part        classifier"))
  }

  @Test func onePartMayHaveAName() throws {
    _ = try request([("reader", "classifier-d1.onnx")]).run()
    #expect(try Inspection(of: path("p.maq")).text.contains("input      x"))
    _ = try GraphListing(of: path("p.maq"), part: "reader")
  }

  @Test func partsAreAskedForByName() throws {
    _ = try request([("a", "classifier-d1.onnx"), ("b", "classifier-d3.onnx")]).run()
    expect(.usage) {
      _ = try Benchmark(
        path("p.maq"), batch: 1, runs: 1, perOperator: false, options: ExecutionOptions())
    }
    expect(.usage) { _ = try GraphListing(of: path("p.maq"), part: "c") }
    expect(.missingInput) { _ = try Verification(model: path("p.maq")).run() }
    expect(.usage) {
      _ = try Execution(model: path("p.maq"), output: path("out")).run()
    }
  }

  @Test func partNamesAreHeldToTheirForm() throws {
    expect(.usage) { _ = try request([("A", "classifier-d1.onnx")]).run() }
    expect(.usage) { _ = try request([("", "classifier-d1.onnx")]).run() }
    expect(.usage) {
      _ = try request([("a", "classifier-d1.onnx"), ("a", "classifier-d3.onnx")]).run()
    }
    expect(.usage) { _ = try request([]).run() }
    expect(.missingInput) { _ = try request([("a", "none.onnx")]).run() }
    #expect(!FileManager.default.fileExists(atPath: path("p.maq")))
  }

  @Test func settingsAreForFamiliesThatTakeThem() throws {
    let words = path("words.txt")
    try Data("yes\nno\n".utf8).write(to: URL(filePath: words))
    var conversion = request([("a", "classifier-d1.onnx")])
    conversion.settings = ["words": words]
    expect(.usage) { _ = try conversion.run() }
    conversion.settings = ["words": path("nowhere.txt")]
    expect(.missingInput) { _ = try conversion.run() }
    try Data().write(to: URL(filePath: words))
    conversion.settings = ["words": words]
    expect(.invalidValue) { _ = try conversion.run() }
  }

  @Test func mediaAreForFamiliesThatTakeThem() throws {
    var request = Execution(model: "\(Self.exports)/classifier-d1.onnx", output: path("out"))
    request.media.text = "hello"
    expect(.unsupportedFeature) { _ = try request.run() }
    request = Execution(model: RoadTests.model, output: path("out"))
    request.media.text = "hello"
    expect(.usage) { _ = try request.run() }
    request.media = MediaRequest()
    request.media.audio = RoadTests.golden.appending(path: "media/speech/cards_001.wav").path()
    request.media.options = ["flip": "yes"]
    expect(.usage) { _ = try request.run() }
    request.media.options = [:]
    expect(.missingInput) { _ = try request.run() }
  }
}
