/// A report as one file for a browser: text, tables and drawings, and no script.
struct HTMLPage {
  let title: String
  private(set) var body = ""

  init(title: String) {
    self.title = title
  }

  mutating func heading(_ text: String) { body += "<h2>\(HTMLPage.escaped(text))</h2>\n" }

  mutating func paragraph(_ text: String) { body += "<p>\(HTMLPage.escaped(text))</p>\n" }

  mutating func table(_ table: TextTable) {
    body += "<table>\n"
    for (index, row) in table.rows.enumerated() {
      let tag = index == 0 ? "th" : "td"
      let cells = row.enumerated().map { column, cell in
        let style = table.numeric.contains(column) ? " class=\"number\"" : ""
        return "<\(tag)\(style)>\(HTMLPage.escaped(cell))</\(tag)>"
      }
      body += "<tr>\(cells.joined())</tr>\n"
    }
    body += "</table>\n"
  }

  mutating func drawing(_ drawing: Drawing) {
    body += """
      <svg viewBox="0 0 \(drawing.width) \(drawing.height)" width="\(drawing.width)" height="\(drawing.height)">
      \(drawing.body)</svg>

      """
  }

  /// A drawing of `width` × `height` pixels, its origin at the upper left.
  struct Drawing {
    let width: Int
    let height: Int
    fileprivate private(set) var body = ""

    init(width: Int, height: Int) {
      self.width = width
      self.height = height
    }

    enum Anchor: String {
      case start, middle, end
    }

    /// Text whose middle line is at `y`.
    mutating func text(_ text: String, x: Double, y: Double, _ anchor: Anchor = .start) {
      body += """
        <text x="\(x)" y="\(y)" text-anchor="\(anchor.rawValue)">\(HTMLPage.escaped(text))</text>

        """
    }

    mutating func line(x: Double, y: Double, toX: Double, toY: Double) {
      body += "<line x1=\"\(x)\" y1=\"\(y)\" x2=\"\(toX)\" y2=\"\(toY)\"/>\n"
    }

    /// A box, what a pointer on it tells, and its label where there is room.
    mutating func box(
      x: Double, y: Double, width: Double, height: Double, colour: String, label: String,
      note: String
    ) {
      func number(_ value: Double) -> String { "\((value * 100).rounded() / 100)" }
      body += """
        <g><title>\(HTMLPage.escaped(note))</title><rect x="\(number(x))" y="\(number(y))" \
        width="\(number(width))" height="\(number(height))" fill="\(colour)"/>
        """
      if width > Double(label.count) * Drawing.letterWidth + 6 {
        text(label, x: x + 3, y: y + height / 2)
      }
      body += "</g>\n"
    }

    /// Pixels that a letter takes at most.
    private static let letterWidth = 7.0

    /// A picture of the page's folder, whose pixels stay sharp.
    mutating func image(_ file: String, x: Int, y: Int, width: Int, height: Int) {
      body += """
        <image href="\(HTMLPage.escaped(file))" x="\(x)" y="\(y)" width="\(width)" height="\(height)"/>

        """
    }
  }

  /// The whole file.
  var text: String {
    """
    <!DOCTYPE html>
    <html lang="en"><head><meta charset="utf-8"><title>\(HTMLPage.escaped(title))</title>
    <style>
    body { font: 14px sans-serif; margin: 2em; color: #222 }
    table { border-collapse: collapse } th, td { padding: 2px 10px; text-align: left; border-bottom: 1px solid #ddd }
    .number { text-align: right; white-space: nowrap }
    svg { display: block; margin: 1em 0 } text { font-size: 11px; fill: #444; dominant-baseline: central }
    line { stroke: #999 } rect { stroke: #fff; stroke-width: 0.5 } image { image-rendering: pixelated }
    </style></head><body>
    <h1>\(HTMLPage.escaped(title))</h1>
    \(body)</body></html>

    """
  }

  static func escaped(_ text: String) -> String {
    var result = ""
    for character in text {
      switch character {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      default: result.append(character)
      }
    }
    return result
  }
}
