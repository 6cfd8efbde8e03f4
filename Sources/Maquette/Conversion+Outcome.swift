import Foundation
import ModelFamilies
import ModelQuantization
import TensorCore

/// What a conversion found.
extension Conversion {
  package struct Agreement: Encodable, Sendable {
    let golden: String
    let output: String
    let sqnrDb: Double
    let maxAbsError: Double
    let cosine: Double
    /// What the family measures, where it does.
    let figure: String?
    let demanded: String?
    let value: Double?
    let problem: String?
    let passed: Bool
  }

  /// One graph of the bundle.
  package struct PartOutcome: Encodable, Sendable {
    let part: String
    let role: String?
    let sourceNodes: Int
    let nodes: Int
    let int8Nodes: Int
    let calibrationSamples: Int
    /// The share by which the noise of the outputs may grow.
    let weightNoise: Double?
    let goldens: Int
  }

  package struct Outcome: Report {
    let model: String
    let output: String
    let precision: String
    let family: String?
    let sourceBytes: Int
    let bundleBytes: Int
    /// What each eight-bit weight takes of the bundle, where it has any.
    let bitsPerWeight: Double?
    let sourceNodes: Int
    let nodes: Int
    let rewrites: Int
    let calibrationSamples: Int
    /// Values of the calibration samples that no range holds, by part.
    let strays: [String]
    /// The file was quantized already, and its scales and zero points are kept.
    let adopted: Bool
    let int8Nodes: Int
    let floatNodes: Int
    let coverage: IntegerCoverage?
    let parts: [PartOutcome]
    /// What binding inputs saved, by part.
    let bound: [BoundInputs.Saving]
    /// Memories that leave out slots of small shares.
    let sparseMemories: [SparseMemory]
    /// How goldens came about: given, or computed by the float graph.
    let goldenSource: String
    let goldens: Int
    /// What was planned, by part.
    let plans: [PrecisionPlan]
    /// The bundle's outputs against the float graph's.
    let agreements: [Agreement]
    let seconds: [String: Double]
    package let passed: Bool

    package var text: String {
      let ratio = Double(bundleBytes) / Double(max(sourceBytes, 1))
      var lines = [
        "\(model) → \(output) (\(precision))",
        "  family      \(family ?? "none that Maquette knows")",
        "  nodes       \(sourceNodes) → \(nodes) by \(rewrites) rewrites",
        "  size        \(Figure.bytes(sourceBytes)) → \(Figure.bytes(bundleBytes)) "
          + String(format: "(%.3f of the source)", ratio)
          + (bitsPerWeight.map { ", \(Figure.bits($0)) a weight" } ?? ""),
      ]
      if parts.count > 1 {
        for part in parts {
          let role = part.role.map { $0 == part.part ? "" : " (\($0))" } ?? ""
          lines.append("  part        \(part.part)\(role): \(part.nodes) nodes")
        }
      }
      for saving in bound { lines.append("  bound       " + saving.text) }
      for memory in sparseMemories { lines.append("  sparse      " + memory.text) }
      if precision == Precision.int8.rawValue {
        lines.append(
          adopted
            ? "  quantized   by the file: its scales and zero points are kept"
            : "  calibrated  \(calibrationSamples) samples")
        for stray in strays { lines.append("              " + stray) }
        let noises = parts.compactMap { part in
          part.weightNoise.map { parts.count > 1 ? "\($0) (\(part.part))" : "\($0)" }
        }
        if !noises.isEmpty {
          lines.append("  weights     noise \(noises.joined(separator: ", "))")
        }
        lines.append(
          "  on int8     \(int8Nodes) nodes; \(floatNodes) stay float (inspect says why)")
        if let coverage { lines.append("              \(coverage.text)") }
        for plan in plans {
          lines.append("  planned     \(plan.formsText)")
          lines += plan.figureLines
        }
      }
      lines.append("  goldens     \(goldens) (\(goldenSource))")
      for item in agreements {
        let figure = item.figure ?? "SQNR " + Figure.decibels(item.sqnrDb)
        let demand = item.demanded.map {
          " (\($0) demanded: " + (item.passed ? "met)" : "MISSED)")
        }
        lines.append(
          "  agreement   \(item.output) of \(item.golden): \(figure)\(demand ?? ""), "
            + "max error \(Figure.error(item.maxAbsError))" + (item.problem.map { ", " + $0 } ?? "")
        )
      }
      let total = seconds["total"] ?? 0
      let steps = ["import", "optimise", "calibrate", "quantize", "verify", "write"].compactMap {
        step in
        seconds[step].map { "\(step) \(String(format: "%.2f", $0))" }
      }
      lines.append(
        "  time        \(String(format: "%.2f", total)) s: " + steps.joined(separator: ", "))
      return lines.joined(separator: "\n")
    }
  }
}
