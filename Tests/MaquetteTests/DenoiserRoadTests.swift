import Foundation
import Maquette
import MediaIO
import TensorCore
import Testing

/// A noisy photograph to a clean one, on float and on int8.
@Suite(.serialized) final class DenoiserRoadTests: FolderTests {
  private static let family = RoadTests.golden.appending(path: "families/denoiser")
  private static let photographs = RoadTests.golden.appending(path: "media/photographs")

  private func convert(_ name: String, int8: Bool = false) throws -> String {
    func file(_ name: String) -> String { Self.family.appending(path: "\(name).onnx").path() }
    var conversion = Conversion(
      models: [("main", file("restoration-d1")), ("mask", file("mask-d3"))], output: path(name))
    if int8 {
      conversion.precision = .int8
      conversion.calibration = Self.photographs.appending(path: "calibration").path()
    } else {
      conversion.golden = Self.family.appending(path: "restoration").path()
    }
    let outcome = try conversion.run()
    #expect(outcome.passed, "\(outcome.text)")
    return path(name)
  }

  private func run(_ bundle: String, _ name: String) throws -> [String: Double] {
    var request = Execution(model: bundle, output: path(name + "-out"))
    request.media.image = Self.photographs.appending(path: "held-out/\(name)-noisy.png").path()
    request.media.clean = Self.photographs.appending(path: "held-out/\(name).png").path()
    return try request.run().figures
  }

  @Test func aNoisyPhotographComesClean() throws {
    let float = try convert("float.maq")
    #expect(try Verification(model: float).run().passed)
    let coffee = try run(float, "coffee")
    #expect((coffee["psnr_after"] ?? 0) > (coffee["psnr_before"] ?? .infinity) + 2.5)
    let written = try DeepImage(contentsOf: path("coffee-out/clean.png"))
    #expect(written.depth == .sixteen && written.width == 101 && written.height == 77)
    let int8 = try convert("int8.maq", int8: true)
    var exact = Verification(model: int8)
    exact.exact = true
    #expect(try exact.run().passed)
    exact.options = ExecutionOptions(threads: 2, tier: "scalar")
    #expect(try exact.run().passed)
    let quantized = try run(int8, "coffee")
    #expect(abs((quantized["psnr_after"] ?? 0) - (coffee["psnr_after"] ?? 1)) < 0.1)
  }

  @Test func partsAreThoseOfTheWhole() throws {
    let bundle = try convert("float.maq")
    var whole = Verification(model: bundle)
    whole.golden = Self.family.appending(path: "restoration").path()
    #expect(try whole.run().passed)
    for part in ["body", "primary-head", "auxiliary-head", "mask"] {
      var verification = Verification(model: bundle)
      verification.part = part
      #expect(try verification.run().passed)
    }
  }

  @Test func partsThatRunAsOneGiveTheSame() throws {
    let bundle = try convert("int8.maq", int8: true)
    let noisy = Self.family.appending(path: "restoration/set_0.npz").path()
    func run(_ part: String, _ inputs: [(name: String, file: String)]) throws {
      var request = Execution(model: bundle, inputs: inputs, output: path(part))
      request.part = part
      _ = try request.run()
    }
    func bytes(_ file: String) throws -> [UInt8] {
      Array(try Data(contentsOf: URL(filePath: path(file))))
    }
    try run("body", [("noisy", noisy)])
    try run("primary-head", [("noisy", noisy), ("features", path("body/features.npy"))])
    try run(
      "auxiliary-head",
      [("clean", path("primary-head/clean.npy")), ("residual", path("primary-head/residual.npy"))])
    let whole = "auxiliary-head+body+primary-head"
    try run(whole, [("noisy", noisy)])
    #expect(try bytes("\(whole)/clean.npy") == bytes("primary-head/clean.npy"))
    #expect(try bytes("\(whole)/again.npy") == bytes("auxiliary-head/again.npy"))
    #expect(throws: ModelError.self) { try run("body+nose", [("noisy", noisy)]) }
  }

  @Test func tilesOnlyChangeSeams() throws {
    let bundle = try convert("float.maq")
    var request = Execution(model: bundle, output: path("tiles"))
    request.media.image = Self.photographs.appending(path: "held-out/coffee-noisy.png").path()
    request.media.options = ["tile": "0"]
    _ = try request.run()
    let whole = try DeepImage(contentsOf: path("tiles/clean.png"))
    request.media.options = ["tile": "32", "halo": "16"]
    #expect(try request.run().text.contains("tiles"))
    let tiled = try DeepImage(contentsOf: path("tiles/clean.png"))
    #expect(PictureQuality(tiled, against: whole).psnr > 40)
  }

  @Test func picturesThatCannotBeTakenAreNamed() throws {
    let bundle = try convert("float.maq")
    func expect(
      _ code: ModelError.Code, image: String? = nil, clean: String? = nil, option: String? = nil,
      _ location: SourceLocation = #_sourceLocation
    ) {
      var request = Execution(model: bundle, output: path("out"))
      request.media.image = image
      request.media.clean = clean
      if let option { request.media.options = ["tile": option] }
      let error = #expect(throws: ModelError.self, sourceLocation: location) { try request.run() }
      #expect(error?.code == code, "\(String(describing: error))", sourceLocation: location)
    }
    try Image(width: 3, height: 9, grey: 7).writePNG(to: path("tiny.png"))
    try Image(width: 8, height: 8, grey: 7).writePNG(to: path("small.png"))
    try Data("no picture".utf8).write(to: URL(filePath: path("text.png")))
    let noisy = Self.photographs.appending(path: "held-out/coffee-noisy.png").path()
    expect(.invalidValue, image: path("tiny.png"))
    expect(.missingInput, image: path("none.png"))
    expect(.malformedInput, image: path("text.png"))
    expect(.shapeMismatch, image: noisy, clean: path("small.png"))
    expect(.missingInput, clean: noisy)
    expect(.usage, image: noisy, option: "many")
    var request = Execution(model: bundle, output: path("grey"))
    request.media.image = path("small.png")
    #expect(try request.run().figures["mask_share"] != nil)
    // One channel, like three that are equal.
    request.media.image = RoadTests.golden.appending(path: "media/grey.png").path()
    #expect(try request.run().figures["mask_share"] != nil)
    #expect(try DeepImage(contentsOf: path("grey/clean.png")).width == 64)
  }
}
