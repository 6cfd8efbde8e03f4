/// Where a run's time goes, as a page for a browser: the whole, its operators and their steps one below the other, then the
/// steps in the order in which they run, then figures.
struct BenchmarkPage {
  private static let width = 1200.0
  private static let height = 24.0
  private let benchmark: Benchmark
  private let operators: [Benchmark.OperatorTime]
  private let nodes: [Benchmark.NodeTime]
  private let total: Double

  /// Nil where the benchmark did not look at operators.
  init?(_ benchmark: Benchmark) {
    guard let operators = benchmark.operators, let nodes = benchmark.nodes else { return nil }
    self.benchmark = benchmark
    self.operators = operators
    self.nodes = nodes
    total = nodes.reduce(0) { $0 + $1.ms }
  }

  var text: String {
    var page = HTMLPage(title: "\(benchmark.file): where the time goes")
    for line in benchmark.head { page.paragraph(line) }
    let conversions = nodes.filter { $0.op == "LayoutConversion" }
    page.paragraph(
      "\(nodes.count) steps, \(conversions.count) of them change a layout: "
        + "\(Figure.milliseconds(conversions.reduce(0) { $0 + $1.ms })). A box is as wide as its share of the "
        + "time; a pointer on it tells more.")
    page.heading("By operator")
    page.drawing(flame)
    page.table(operatorTable)
    page.heading("In the order of the run")
    page.drawing(timeline)
    page.table(nodeTable)
    return page.text
  }

  // MARK: Drawings

  private var flame: HTMLPage.Drawing {
    var drawing = HTMLPage.Drawing(
      width: Int(Self.width), height: Int(3 * Self.height))
    box("all steps", note: Figure.milliseconds(total), 0, row: 0, ms: total, "#ddd", &drawing)
    var start = 0.0
    for item in operators {
      let told = "\(item.nodes) steps, \(share(item.ms)), \(Figure.milliseconds(item.ms))"
      box(item.op, note: told, start, row: 1, ms: item.ms, colour(of: item.op), &drawing)
      var inner = start
      for node in nodes.filter({ $0.op == item.op }).sorted(by: { $0.ms > $1.ms }) {
        box(
          node.name, note: note(of: node), inner, row: 2, ms: node.ms, colour(of: item.op), &drawing
        )
        inner += node.ms
      }
      start += item.ms
    }
    return drawing
  }

  private var timeline: HTMLPage.Drawing {
    var drawing = HTMLPage.Drawing(width: Int(Self.width), height: Int(Self.height))
    var start = 0.0
    for node in nodes {
      box(
        node.op, note: "\(node.name): \(note(of: node))", start, row: 0, ms: node.ms,
        colour(of: node.op), &drawing)
      start += node.ms
    }
    return drawing
  }

  private func box(
    _ label: String, note: String, _ start: Double, row: Int, ms: Double, _ colour: String,
    _ drawing: inout HTMLPage.Drawing
  ) {
    let scale = total > 0 ? Self.width / total : 0
    drawing.box(
      x: start * scale, y: Double(row) * Self.height, width: ms * scale, height: Self.height,
      colour: colour, label: label, note: "\(label): \(note)")
  }

  /// The greatest shares get the colours that lie furthest apart.
  private func colour(of op: String) -> String {
    guard op != "LayoutConversion" else { return "#e66" }
    let place = operators.firstIndex { $0.op == op } ?? 0
    return "hsl(\(40 + place * 137 % 300),55%,\(72 + place % 3 * 6)%)"
  }

  private func note(of node: Benchmark.NodeTime) -> String {
    var parts = [Figure.milliseconds(node.ms), share(node.ms)]
    if node.macs > 0 { parts.append("\(rate(node.macs, node.ms)) GMAC/s") }
    parts.append("\(Figure.bytes(node.bytes)), \(rate(node.bytes, node.ms)) GB/s")
    if let floor = node.floorShare { parts.append("\(percent(floor)) of the floor") }
    return parts.joined(separator: ", ")
  }

  // MARK: Tables

  private var operatorTable: TextTable {
    var table = TextTable(
      ["operator", "steps", "time", "share", "GMAC/s", "GB/s", "floor"], numeric: Set(1...6))
    for item in operators {
      let own = nodes.filter { $0.op == item.op }
      let floors = own.compactMap { node in node.floorShare.map { $0 * node.ms } }
      table.add([
        item.op, "\(item.nodes)", Figure.milliseconds(item.ms), share(item.ms),
        Figure.decimal(item.gmacPerS), Figure.decimal(item.gbPerS),
        floors.count == own.count && item.ms > 0
          ? percent(floors.reduce(0, +) / item.ms) : "–",
      ])
    }
    return table
  }

  private var nodeTable: TextTable {
    var table = TextTable(
      ["step", "operator", "of", "time", "share", "MMAC", "GMAC/s", "bytes", "GB/s", "floor"],
      numeric: Set(3...9))
    for node in nodes {
      table.add([
        node.name, node.op, node.element, Figure.milliseconds(node.ms), share(node.ms),
        Figure.decimal(Double(node.macs) / 1e6), rate(node.macs, node.ms), Figure.bytes(node.bytes),
        rate(node.bytes, node.ms), node.floorShare.map(percent) ?? "–",
      ])
    }
    return table
  }

  private func share(_ ms: Double) -> String { percent(total > 0 ? ms / total : 0) }
  private func percent(_ share: Double) -> String { Figure.decimal(share * 100) + " %" }
  private func rate(_ count: Int, _ ms: Double) -> String {
    Figure.decimal(ms > 0 ? Double(count) / ms / 1e6 : 0)
  }
}
