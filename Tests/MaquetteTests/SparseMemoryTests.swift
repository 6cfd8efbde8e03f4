import Foundation
import Maquette
import TensorCore
import Testing

/// Memories that leave out slots of small shares.
@Suite(.serialized) final class SparseMemoryTests: FolderTests {
  private func outcome(_ name: String, leastShare: Float?) throws -> Conversion.Outcome {
    var conversion = Conversion(model: RoadTests.model, output: path(name))
    conversion.precision = .int8
    conversion.calibration = RoadTests.samples
    conversion.leastShare = leastShare
    return try conversion.run()
  }

  @Test func aSparseReadSaysHowFarOffItCanBe() throws {
    #expect(try !outcome("whole.maq", leastShare: nil).text.contains("sparse"))
    let outcome = try outcome("sparse.maq", leastShare: 0.002)
    #expect(outcome.text.contains("below 0.002 are not read; off by at most "))
    let inspection = try Inspection(of: path("sparse.maq"))
    #expect(inspection.text.contains("sparse     "))
    #expect(inspection.text.contains("option     least-share = 0.002"))
    // The bundle carries what it gives, and gives that again.
    var exact = Verification(model: path("sparse.maq"))
    exact.exact = true
    #expect(try exact.run().passed)
    #expect(
      FileManager.default.contents(atPath: path("sparse.maq"))
        != FileManager.default.contents(atPath: path("whole.maq")))
  }

  @Test func sharesThatCouldLeaveOutEverySlotAreRefused() {
    #expect { try self.outcome("none.maq", leastShare: 0.5) } throws: {
      ($0 as? ModelError)?.message.contains("KV6") ?? false
    }
    #expect(!FileManager.default.fileExists(atPath: path("none.maq")))
  }

  @Test func aModelWithoutMemoriesHasNothingToLeaveOut() {
    let model = RoadTests.golden.appending(path: "families/denoiser/mask-d3.onnx").path()
    var conversion = Conversion(model: model, output: path("mask.maq"))
    conversion.leastShare = 0.001
    #expect { try conversion.run() } throws: { ($0 as? ModelError)?.code == .usage }
  }
}
