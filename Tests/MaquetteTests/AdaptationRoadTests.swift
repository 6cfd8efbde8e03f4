import Foundation
import Maquette
import MediaIO
import OnnxFormat
import TensorCore
import Testing

/// Bundles of the denoiser adapt to photographs, as PyTorch does.
@Suite(.serialized) final class AdaptationRoadTests: FolderTests {
  private static let family = RoadTests.golden.appending(path: "families/denoiser")
  private static let photographs = RoadTests.golden.appending(path: "media/photographs/held-out")

  private func photograph(_ name: String) -> String {
    Self.photographs.appending(path: "\(name).png").path()
  }

  /// The float bundle, or the int8 one.
  private func bundle(int8: Bool = false, rate: String? = nil) throws -> String {
    func file(_ name: String) -> String { Self.family.appending(path: "\(name).onnx").path() }
    let output = path(int8 ? "int8.maq" : "float.maq")
    var conversion = Conversion(
      models: [("main", file("restoration-d3")), ("mask", file("mask-d3"))], output: output)
    if int8 {
      conversion.precision = .int8
      conversion.calibration = RoadTests.golden.appending(path: "media/photographs/calibration")
        .path()
    }
    if let rate {
      try "rate \(rate)\nsteps 5\n".write(
        toFile: path("defaults.txt"), atomically: true, encoding: .utf8)
      conversion.settings["adaptation"] = path("defaults.txt")
    }
    _ = try conversion.run()
    return output
  }

  private func adaptation(_ bundle: String, _ image: String, _ preset: String) -> Adaptation {
    var request = Adaptation(model: bundle, image: image, output: path("\(preset).png"))
    request.preset = preset
    return request
  }

  /// The first 64 rows and columns of chelsea, with sixteen bits.
  private func corner() throws -> String {
    let whole = try DeepImage(contentsOf: photograph("chelsea-noisy"))
    var values: [UInt16] = []
    for row in 0..<64 {
      values += whole.values[row * whole.width * 3..<(row * whole.width + 64) * 3].map { $0 * 257 }
    }
    try DeepImage(width: 64, height: 64, depth: .sixteen, values: values).writePNG(
      to: path("corner.png"))
    return path("corner.png")
  }

  @Test func fiveStepsArePyTorchs() throws {
    let float = try bundle()
    let goldens = Dictionary(
      try NumpyArchive.read(
        path: RoadTests.golden.appending(path: "gradients/denoiser.npz").path()
      ).map { ($0.name, $0.tensor) }, uniquingKeysWith: { $1 })
    for (name, image) in [("coffee", photograph("coffee-noisy")), ("corner", try corner())] {
      for preset in ["heads_hard", "all_soft"] {
        let outcome = try adaptation(float, image, preset).run()
        #expect(outcome.failure == nil)
        let losses = try #require(goldens["\(name).\(preset).loss"]).doubles()
        #expect(outcome.losses.count == losses.count)
        for (loss, wanted) in zip(outcome.losses, losses) { #expect(abs(loss - wanted) < 1e-7) }
        let wanted = try #require(goldens["\(name).\(preset)"]).integers()
        let made = try DeepImage(contentsOf: path("\(preset).png"))
        #expect(made.values.count == wanted.count)
        let distance = zip(made.values, wanted).map { abs(Int64($0) - $1) }.max()
        // 1e-4 of the range, in sixteen bits.
        #expect(distance ?? .max <= 6)
      }
    }
  }

  @Test func whatIsComputedOnceIsWhatEveryStepWouldCompute() throws {
    var request = adaptation(try bundle(), photograph("coffee-noisy"), "heads_hard")
    let once = try request.run()
    let picture = try DeepImage(contentsOf: path("heads_hard.png"))
    request.recomputes = true
    #expect(try request.run().losses == once.losses)
    #expect(try DeepImage(contentsOf: path("heads_hard.png")) == picture)
  }

  @Test(arguments: ["heads_hard", "all_soft"])
  func tilesGiveTheGradientOfTheWhole(_ preset: String) throws {
    var request = adaptation(try bundle(), photograph("chelsea-noisy"), preset)
    request.rate = 3e-4
    request.steps = 3
    let whole = try request.run()
    #expect(whole.tiles == 1)
    let picture = try DeepImage(contentsOf: path("\(preset).png"))
    request.tile = 64
    let tiled = try request.run()
    #expect(tiled.tiles > 1)
    for (a, b) in zip(whole.losses, tiled.losses) { #expect(abs(a - b) < 1e-6) }
    let pieces = try DeepImage(contentsOf: path("\(preset).png"))
    #expect(PictureQuality(pieces, against: picture).psnr > 60)
  }

  @Test func integersGainWhatFloatsDo() throws {
    var gains: [String: Double] = [:]
    for (name, file) in [
      ("float", try bundle(rate: "3e-4")), ("int8", try bundle(int8: true, rate: "3e-4")),
    ] {
      for preset in name == "float" ? ["heads_hard"] : ["heads_hard", "light"] {
        var request = adaptation(file, photograph("coffee-noisy"), preset)
        request.clean = photograph("coffee")
        request.save = path("\(name).\(preset).adapted")
        let outcome = try request.run()
        #expect(outcome.failure == nil)
        gains["\(name) \(preset)"] = outcome.psnr[2] - outcome.psnr[1]
        // The saved tensors give the answer after the last update.
        var run = Execution(model: file, output: path("run"))
        run.media.image = request.image
        run.media.clean = request.clean
        let plain = try #require(try run.run().figures["psnr_after"])
        run.adapted = request.save
        let adapted = try #require(try run.run().figures["psnr_after"])
        #expect(adapted > plain + 0.05, "\(name) \(preset)")
      }
    }
    let float = try #require(gains["float heads_hard"])
    #expect(float > 0.2)
    #expect(try #require(gains["int8 heads_hard"]) >= 0.9 * float)
    #expect(try #require(gains["int8 light"]) > 0.05)
  }

  @Test func savedStatesAreListedAndTakenBack() throws {
    let float = try bundle()
    let base = try Data(contentsOf: URL(filePath: float))
    let file = path("kept.adapted")
    for (name, rate) in [("first", 1e-5), ("second", 2e-5)] {
      var request = adaptation(float, photograph("coffee-noisy"), "heads_hard")
      request.save = file
      request.name = name
      request.rate = rate
      request.steps = 2
      _ = try request.run()
    }
    #expect(try Data(contentsOf: URL(filePath: float)) == base)
    let size = try Data(contentsOf: URL(filePath: file)).count
    #expect(size < base.count / 2)
    #expect(try AdaptedStates(file: file).run().names == ["first", "second"])
    var back = AdaptedStates(file: file)
    back.rollsBack = true
    #expect(try back.run().names == ["first"])
    var remove = AdaptedStates(file: file)
    remove.remove = "second"
    #expect(throws: ModelError.self) { try remove.run() }
    remove.remove = "first"
    #expect(try remove.run().names.isEmpty)
    #expect(!FileManager.default.fileExists(atPath: file))
  }

  // MARK: - Refusals

  private func code(_ request: Adaptation) -> ModelError.Code? {
    do throws(ModelError) {
      _ = try request.run()
      return nil
    } catch { return error.code }
  }

  @Test func whatIsNotDeclaredIsRefused() throws {
    let float = try bundle()
    let noisy = photograph("coffee-noisy")
    let onnx = Self.family.appending(path: "restoration-d3.onnx").path()
    #expect(
      code(Adaptation(model: onnx, image: noisy, output: path("o.png"))) == .unsupportedFeature)
    let other = path("body.maq")
    _ = try Conversion(
      model: Self.family.appending(path: "body-d3.onnx").path(), output: other
    ).run()
    #expect(
      code(Adaptation(model: other, image: noisy, output: path("o.png"))) == .unsupportedFeature)
    #expect(code(adaptation(float, noisy, "everything")) == .usage)
    func expect(_ change: (inout Adaptation) -> Void, _ location: SourceLocation = #_sourceLocation)
    {
      var request = adaptation(float, noisy, "heads_hard")
      change(&request)
      #expect(code(request) == .usage, sourceLocation: location)
    }
    expect { $0.steps = 0 }
    expect { $0.steps = 101 }
    expect { $0.rate = 0.5 }
    expect { $0.factor = -1 }
    expect { $0.mask = "firm" }
    expect { $0.answer = "first" }
    expect { $0.tile = 3 }
    expect { $0.tensors = ["mask/mask_net.0.weight"] }
    var own = adaptation(float, noisy, "heads_hard")
    own.tensors = ["primary-head/primary_head.0.model.0.weight"]
    own.steps = 2
    #expect(try own.run().tensors == 1)
    own.answer = "after-update"
    #expect(try own.run().losses.count == 3)
  }

  @Test func tensorsOfAnotherBundleAreRefused() throws {
    var request = adaptation(try bundle(), photograph("coffee-noisy"), "heads_hard")
    request.save = path("kept.adapted")
    request.steps = 2
    _ = try request.run()
    var run = Execution(model: try bundle(rate: "2e-5"), output: path("run"))
    run.media.image = request.image
    run.adapted = request.save
    let error = #expect(throws: ModelError.self) { try run.run() }
    #expect(error?.code == .integrityFailure)
    run.adapted = run.model
    #expect(throws: ModelError.self) { try run.run() }
  }

  @Test func adaptationThatDoesHarmIsNotTheAnswer() throws {
    var request = adaptation(try bundle(), photograph("coffee-noisy"), "heads_hard")
    request.rate = 1e-2
    let outcome = try request.run()
    #expect(outcome.failure == "the loss went up")
    #expect(!outcome.passed)
    #expect(
      try DeepImage(contentsOf: path("heads_hard.png"))
        == DeepImage(contentsOf: path("heads_hard-before.png")))
  }

  @Test func aMaskThatCountsNothingChangesNothing() throws {
    // Without biases the mask of black is one half, which a hard mask does not count.
    let side = 16
    try DeepImage(
      width: side, height: side, depth: .eight,
      values: [UInt16](repeating: 0, count: side * side * 3)
    ).writePNG(to: path("black.png"))
    var request = adaptation(try bundle(), path("black.png"), "heads_hard")
    request.save = path("black.adapted")
    let outcome = try request.run()
    #expect(outcome.failure == "the mask is empty")
    #expect(!outcome.passed)
    #expect(outcome.maskShare == 0)
    #expect(
      try DeepImage(contentsOf: path("heads_hard.png"))
        == DeepImage(contentsOf: path("heads_hard-before.png")))
    #expect(!FileManager.default.fileExists(atPath: path("black.adapted")))
    request.mask = "soft"
    #expect(try request.run().maskShare == 1)
  }

  @Test(arguments: ["last-forward", "after-update"])
  func aLossThatIsNoNumberChangesNothing(_ answer: String) throws {
    var request = adaptation(try bundle(), photograph("coffee-noisy"), "heads_hard")
    // Beyond float32.
    request.factor = 1e300
    request.answer = answer
    request.save = path("never.adapted")
    let outcome = try request.run()
    #expect(outcome.failure == "the loss is not a number")
    #expect(outcome.losses.count == 1)
    #expect(
      try DeepImage(contentsOf: path("heads_hard.png"))
        == DeepImage(contentsOf: path("heads_hard-before.png")))
    #expect(!FileManager.default.fileExists(atPath: path("never.adapted")))
  }
}
