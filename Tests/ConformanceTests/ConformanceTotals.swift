/// How many cases of each operator pass on each executor: the table of `golden/conformance/totals.txt`.
struct ConformanceTotals {
  private struct Row {
    var cases = 0
    var ran: [Executor: Int] = [:]
    var passed: [Executor: Int] = [:]

    mutating func add(_ other: Row) {
      cases += other.cases
      ran.merge(other.ran, uniquingKeysWith: +)
      passed.merge(other.passed, uniquingKeysWith: +)
    }

    /// Cases that passed; a dash where none ran.
    func cell(_ executor: Executor) -> String {
      guard ran[executor] != nil else { return "-" }
      return String(passed[executor] ?? 0)
    }

    var cells: [String] { [String(cases)] + Executor.allCases.map(cell) }
  }

  private var rows: [CaseGroup: [String: Row]] = [:]

  mutating func count(
    _ item: ConformanceCase, in group: CaseGroup, _ outcomes: [Executor: Outcome]
  ) {
    var row = Row(cases: 1)
    for (executor, outcome) in outcomes {
      row.ran[executor] = 1
      if case .passed = outcome { row.passed[executor] = 1 }
    }
    rows[group, default: [:]][item.subject, default: Row()].add(row)
  }

  /// The sums of every group, as the first lines of the table have them.
  var sums: [String] { Array(lines.prefix(1 + CaseGroup.allCases.count)) }

  var text: String {
    """
    # Cases that pass: the sums, then each operator's. A dash: not run, since whole image classifiers are
    # beyond plain loops, and beyond more than one run in builds that are not optimised.
    \(lines.joined(separator: "\n"))

    """
  }

  private var lines: [String] {
    var table = [["group", "operator", "cases"] + Executor.allCases.map(\.rawValue)]
    for group in CaseGroup.allCases {
      var sum = Row()
      for row in (rows[group] ?? [:]).values { sum.add(row) }
      table.append([group.rawValue, "all"] + sum.cells)
    }
    for group in CaseGroup.allCases {
      for (subject, row) in (rows[group] ?? [:]).sorted(by: { $0.key < $1.key }) {
        table.append([group.rawValue, subject] + row.cells)
      }
    }
    let widths = table[0].indices.map { column in table.map { $0[column].count }.max() ?? 0 }
    return table.map { cells in
      zip(cells, widths).enumerated().map { (column, pair) in
        let space = String(repeating: " ", count: pair.1 - pair.0.count)
        return column < 2 ? pair.0 + space : space + pair.0
      }.joined(separator: "  ")
    }
  }
}
