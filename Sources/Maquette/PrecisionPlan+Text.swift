import Foundation
import ModelQuantization

/// A plan as people read it.
extension PrecisionPlan {
  /// "3 of 12 layers read 16 bits, 1 stays float".
  var formsText: String {
    let narrow = count(.narrow)
    return "\(count(.wide)) of \(layers.count) layers read 16 bits, \(count(.float32)) float"
      + (narrow > 0 ? ", \(narrow) have weights of fewer bits" : "")
  }

  /// What was demanded, predicted and achieved.
  var figureLines: [String] {
    var table = TextTable(["", "", "demanded", "predicted", "achieved"], numeric: [2, 3, 4])
    for figure in figures {
      func text(_ value: Double) -> String {
        // Where a figure has no unit, what it is short of 1 is what counts.
        figure.unit.isEmpty
          ? String(format: "%.4f", value)
          : String(format: "%.\(figure.unit == "dB" ? 1 : 2)f \(figure.unit)", value)
      }
      table.add([
        "        ", figure.name, "\(figure.isLeast ? "≥" : "≤") \(text(figure.demanded))",
        text(figure.predicted), text(figure.achieved),
      ])
    }
    return table.lines
  }

  /// The layers that cost most in int8, with what each form of them costs.
  var layerLines: [String] {
    let isTimed = layers.contains { $0.choices.contains { $0.milliseconds != nil } }
    var table = TextTable(
      ["        ", "layers alone", "form", "", "SQNR", "size", isTimed ? "time" : "products"],
      numeric: [4, 5, 6])
    func noise(_ layer: Layer) -> Double { layer.choices.first?.noise ?? 0 }
    for layer in layers.sorted(by: { noise($0) > noise($1) }).prefix(5) {
      for choice in layer.choices {
        let ratio = choice.noise > 0 ? -10 * log10(choice.noise) : .infinity
        table.add([
          "        ", choice.form == layer.choices[0].form ? layer.name : "",
          choice.form.title,
          choice.form == layer.form ? "chosen" : "", Maquette.Figure.decibels(ratio),
          Maquette.Figure.bytes(choice.bytes),
          choice.milliseconds.map(Maquette.Figure.milliseconds)
            ?? Maquette.Figure.count(choice.products),
        ])
      }
    }
    return table.lines
  }
}

extension LayerForm {
  fileprivate var title: String {
    switch self {
    case .narrow: "fewer bits × int8"
    case .int8, .float32: rawValue
    case .wide: "int8 × 16 bits"
    }
  }
}
