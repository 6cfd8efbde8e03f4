import Foundation
import TensorCore

/// What a verification found: for programs as JSON, for people as a table.
package struct VerificationReport: Codable, Sendable, Hashable {
  /// One golden case.
  package struct Case: Codable, Sendable, Hashable {
    package let name: String
    package let comparisons: [Comparison]
    /// SHA-256 of each output, by name.
    package let digests: [String: String]
    /// The error that kept the case from running.
    package let failure: String?

    package init(
      name: String, comparisons: [Comparison] = [], digests: [String: String] = [:],
      failure: String? = nil
    ) {
      self.name = name
      self.comparisons = comparisons
      self.digests = digests
      self.failure = failure
    }

    package var passed: Bool { failure == nil && comparisons.allSatisfy(\.passed) }
  }

  package let title: String
  package let cases: [Case]
  /// True where every case passed; written for readers of the JSON.
  package let passed: Bool
  package let layers: LayerComparison?

  package init(title: String, cases: [Case], layers: LayerComparison? = nil) {
    self.title = title
    self.cases = cases
    self.layers = layers
    passed = cases.allSatisfy(\.passed)
  }

  /// Sorted keys; numbers that JSON cannot write are the strings `inf`, `-inf` and `nan`.
  package func json() throws(ModelError) -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    do { return try encoder.encode(self) } catch {
      throw ModelError(.inputOutput, "the report cannot be written as JSON: \(error)")
    }
  }

  package init(json: Data) throws(ModelError) {
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    do { self = try decoder.decode(VerificationReport.self, from: json) } catch {
      throw ModelError(.malformedInput, "not a verification report: \(error)")
    }
  }

  /// A table with a line for each output and, where layers were compared, the worst of them.
  package func text(worstLayers: Int = 10) -> String {
    var lines = ["\(title): \(passed ? "passed" : "FAILED")"]
    var rows = [["case", "output", "verdict", "max error", "mean error", "SQNR dB", "outside"]]
    for item in cases {
      if let failure = item.failure { rows.append([item.name, "–", "FAILED: \(failure)"]) }
      for comparison in item.comparisons {
        let verdict = comparison.passed ? "passed" : "FAILED"
        guard let metrics = comparison.metrics else {
          rows.append(
            [item.name, comparison.name, verdict + (comparison.problem.map { ": \($0)" } ?? "")])
          continue
        }
        rows.append([
          item.name, comparison.name, verdict, figure(metrics.maximumAbsoluteError),
          figure(metrics.meanAbsoluteError), figure(metrics.signalToNoise, decimals: 1),
          "\(comparison.outside)/\(metrics.count)",
        ])
      }
    }
    lines += table(rows)
    if let layers {
      lines.append("worst layers of \(layers.rows.count):")
      var rows = [["layer", "operator", "SQNR dB", "cosine", "max error", "not finite"]]
      for row in layers.rows.prefix(worstLayers) {
        rows.append([
          row.name, row.kind, figure(row.metrics.signalToNoise, decimals: 1),
          figure(row.metrics.cosine, decimals: 6), figure(row.metrics.maximumAbsoluteError),
          "\(row.metrics.nonFiniteMismatches)",
        ])
      }
      lines += table(rows)
    }
    return lines.joined(separator: "\n")
  }

  private func figure(_ value: Double, decimals: Int? = nil) -> String {
    if value.isInfinite { return value < 0 ? "−∞" : "∞" }
    if let decimals { return String(format: "%.\(decimals)f", value) }
    return value == 0 ? "0" : String(format: "%.3g", value)
  }

  /// Columns as wide as their widest cell; the last cell of a row widens nothing.
  private func table(_ rows: [[String]]) -> [String] {
    var widths: [Int] = []
    for row in rows {
      for (column, cell) in row.dropLast().enumerated() {
        if column < widths.count {
          widths[column] = max(widths[column], cell.count)
        } else {
          widths.append(cell.count)
        }
      }
    }
    return rows.map { row in
      let cells = row.enumerated().map { column, cell in
        column == row.count - 1
          ? cell : cell + String(repeating: " ", count: max(0, widths[column] - cell.count))
      }
      return "  " + cells.joined(separator: "  ")
    }
  }
}
