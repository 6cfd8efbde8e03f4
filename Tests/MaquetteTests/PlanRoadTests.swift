import Foundation
import Maquette
import TensorCore
import Testing

/// What a conversion is told to keep, and keeps (`Q60`).
@Suite(.serialized) final class PlanRoadTests: FolderTests {
  private static let families = RoadTests.golden.appending(path: "families")

  /// The int8 form of a small network of no family.
  private func request(_ demands: (inout PlanDemands) -> Void) -> Conversion {
    let head = Self.families.appending(path: "denoiser/primary-head")
    var conversion = Conversion(model: head.path() + "-d3.onnx", output: path("p.maq"))
    conversion.precision = .int8
    conversion.calibration = head.path()
    conversion.keepsGoldens = false
    demands(&conversion.plan)
    return conversion
  }

  @Test func aPeakRatioIsKeptAndShown() throws {
    let text = try request { $0.leastPeakRatio = 60 }.run().text
    #expect(text.contains("PSNR of residual ≥ 60.0 dB"), "\(text)")
    let inspected = try Inspection(of: path("p.maq")).text
    for part in ["layers read 16 bits", "PSNR of clean", "layers alone", "int8 × 16 bits"] {
      #expect(inspected.contains(part), "\(inspected)")
    }
    #expect(inspected.contains("option     min-psnr = 60.0"))
    // No coarser weights for which other layers would have to stay float.
    #expect(inspected.contains("option     weight-noise = 0.0"))
  }

  @Test func whatTheFamilyDemandsIsATargetToo() throws {
    var conversion = request { $0.asFamilyDemands = true }
    conversion.models = [
      ("main", Self.families.appending(path: "wav2-lip/tiny/generator-d1.onnx").path())
    ]
    conversion.calibration = Self.families.appending(path: "wav2-lip/tiny").path()
    let text = try conversion.run().text
    #expect(text.contains("PSNR of frames ≥ "), "\(text)")
  }

  @Test func aSizeIsKeptByTheWholeBundle() throws {
    _ = try request { _ in }.run()
    func size() throws -> Int { try Data(contentsOf: URL(filePath: path("p.maq"))).count }
    let usual = try size()
    let error = #expect(throws: ModelError.self) {
      try request { $0.greatestMegabytes = 0.9 * Double(usual) / 1e6 }.run()
    }
    #expect(error?.code == .outOfReach)
    #expect(error?.message.hasPrefix("size of at most ") == true, "\(error?.message ?? "")")
    var wide = request {
      $0.greatestMegabytes = 1.3 * Double(usual) / 1e6
      $0.leastRatio = 45
    }
    wide.wideShare = 1
    _ = try wide.run()
    #expect(try Double(size()) <= 1.3 * Double(usual))
  }

  @Test func whatStaysFloatIsExplainedAndTimed() throws {
    var conversion = request { _ in }
    conversion.models = [
      ("main", Self.families.appending(path: "wav2-lip/tiny/generator-d1.onnx").path())
    ]
    conversion.calibration = Self.families.appending(path: "wav2-lip/tiny").path()
    conversion.keptFloat = ["/output_block/output_block.1/Conv"]
    _ = try conversion.run()
    let plain = try Inspection(of: path("p.maq"))
    #expect(plain.text.contains("would change with"), "\(plain.text)")
    #expect(!plain.text.contains("floats take"))
    let timed = try Inspection(of: path("p.maq"), timed: true)
    #expect(timed.text.contains("floats take "), "\(timed.text)")
    #expect(timed.text.contains(" ms)"))
    let json = try timed.json()
    for key in ["change", "conversion_ms", "float_ms", "whole_ms"] {
      #expect(json.contains("\"\(key)\""))
    }
    // A float model has nothing that runs on integers, and nothing to time.
    #expect(try !Inspection(of: conversion.models[0].file, timed: true).text.contains(" ms)"))
  }

  @Test func demandsThatNothingCanKeepAreRefusedByName() throws {
    for value in [0, -1, .nan, .infinity, 1e9] {
      for (name, set) in [
        ("--min-sqnr", { $0.leastRatio = value }), ("--min-psnr", { $0.leastPeakRatio = value }),
        ("--max-mb", { $0.greatestMegabytes = value }),
        ("--max-ms", { $0.greatestMilliseconds = value }),
      ] as [(String, (inout PlanDemands) -> Void)] {
        let error = #expect(throws: ModelError.self) { try request(set).run() }
        #expect(error?.code == .usage)
        #expect(error?.message.hasPrefix("\(name) \(value):") == true, "\(error?.message ?? "")")
      }
    }
    #expect(!FileManager.default.fileExists(atPath: path("p.maq")))
  }

  @Test func demandsThatAConversionCannotHaveAreRefused() throws {
    var float = request { $0.leastRatio = 30 }
    float.precision = .float32
    float.calibration = nil
    var unknown = request { $0.asFamilyDemands = true }
    let rows = RoadTests.golden.appending(path: "ports")
    unknown.models = [("main", rows.appending(path: "rows.onnx").path())]
    unknown.calibration = rows.appending(path: "rows").path()
    let denoiser = Self.families.appending(path: "denoiser")
    var parts = request { $0.greatestMilliseconds = 10 }
    parts.models = [("main", denoiser.appending(path: "restoration-d3.onnx").path())]
    parts.calibration = RoadTests.golden.appending(path: "media/photographs/calibration").path()
    for (conversion, text) in [
      (float, "--min-sqnr: a plan is of int8 bundles"),
      (unknown, "--as-family-demands: the model is of no family"),
      (parts, "--max-ms: parts run as often as media have it, so 3 of them have no one time"),
    ] {
      let error = #expect(throws: ModelError.self) { try conversion.run() }
      #expect(error?.code == .usage)
      #expect(error?.message.hasPrefix(text) == true, "\(error?.message ?? "")")
    }
  }
}
