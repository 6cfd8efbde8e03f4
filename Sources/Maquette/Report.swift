import Foundation
import TensorCore

/// What a command found: a sentence or a table for people, JSON for programs.
package protocol Report: Encodable, Sendable {
  /// False where a check failed.
  var passed: Bool { get }
  var text: String { get }
}

extension Report {
  package var passed: Bool { true }

  /// Keys in snake case, sorted; numbers that JSON cannot write are the strings `inf`, `-inf`, `nan`.
  package func json() throws(ModelError) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    do { return String(decoding: try encoder.encode(self), as: UTF8.self) } catch {
      throw ModelError(.inputOutput, "the report cannot be written as JSON: \(error)")
    }
  }
}

/// Tells how far a command is. Called from the thread that runs the command.
package struct ProgressObserver {
  private let report: (_ step: String, _ done: Int, _ total: Int) -> Void

  package init(_ report: @escaping (_ step: String, _ done: Int, _ total: Int) -> Void) {
    self.report = report
  }

  package static var silent: ProgressObserver { ProgressObserver { _, _, _ in } }

  func callAsFunction(_ step: String, _ done: Int = 0, of total: Int = 0) {
    report(step, done, total)
  }
}

/// Text in columns, each as wide as its widest cell.
struct TextTable {
  /// The first holds the names of the columns.
  private(set) var rows: [[String]] = []
  /// Columns that end flush.
  let numeric: Set<Int>

  /// - Parameter numeric: columns that end flush.
  init(_ header: [String], numeric: Set<Int> = []) {
    self.numeric = numeric
    rows = [header]
  }

  mutating func add(_ row: [String]) { rows.append(row) }

  var lines: [String] {
    var widths: [Int] = []
    for row in rows {
      for (column, cell) in row.enumerated() {
        if column == widths.count { widths.append(0) }
        widths[column] = max(widths[column], cell.count)
      }
    }
    return rows.map { row in
      var line = " "
      for (column, cell) in row.enumerated() {
        let padding = String(repeating: " ", count: widths[column] - cell.count)
        line += " " + (numeric.contains(column) ? padding + cell : cell + padding)
      }
      while line.last == " " { line.removeLast() }
      return line
    }
  }
}

/// Numbers as people read them.
enum Figure {
  static func bytes(_ count: Int) -> String {
    if count < 10_000 { return "\(count) B" }
    if count < 10_000_000 { return String(format: "%.1f kB", Double(count) / 1e3) }
    return String(format: "%.1f MB", Double(count) / 1e6)
  }

  static func decibels(_ value: Double) -> String {
    value.isInfinite ? (value < 0 ? "−∞ dB" : "∞ dB") : String(format: "%.1f dB", value)
  }

  static func bits(_ value: Double) -> String { String(format: "%.2f bits", value) }

  static func decimal(_ value: Double) -> String { String(format: "%.1f", value) }

  static func error(_ value: Double) -> String {
    value == 0 ? "0" : String(format: "%.2g", value)
  }

  static func milliseconds(_ value: Double) -> String {
    String(format: value < 10 ? "%.2f ms" : "%.1f ms", value)
  }

  /// With thousands apart.
  static func count(_ value: Int) -> String {
    var text = ""
    for (index, digit) in String(value).reversed().enumerated() {
      if index > 0, index % 3 == 0, digit != "-" { text.append(",") }
      text.append(digit)
    }
    return String(text.reversed())
  }
}

/// Seconds that a piece of work takes.
struct Stopwatch {
  private let start = ContinuousClock.now

  var seconds: Double {
    let elapsed = start.duration(to: .now).components
    return Double(elapsed.seconds) + Double(elapsed.attoseconds) * 1e-18
  }
}

/// The version that the program and the bundles that it writes carry.
package enum ToolVersion {
  package static let current = "0.1.0"
}
