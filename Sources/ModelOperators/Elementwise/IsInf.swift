import ModelIR
import TensorCore

/// Whether x is an infinity of a sign that is looked for. ONNX IsInf 10–20.
package struct IsInf: PredicateOperator {
  package static let name = "IsInf"
  package static let fields = [
    Field("detect_negative", \IsInf.negative), Field("detect_positive", \IsInf.positive),
  ]
  package var negative = true
  package var positive = true
  package init() {}
  package init(negative: Bool, positive: Bool) {
    self.negative = negative
    self.positive = positive
  }
  package func holds(_ x: Double) -> Bool { x.isInfinite && (x < 0 ? negative : positive) }
}

extension IsInf: ImportableOperator {
  package static let importers = [
    Importer("IsInf", 10...newestOpset) { node throws(ModelError) in
      IsInf(
        negative: try node.flag("detect_negative", default: true),
        positive: try node.flag("detect_positive", default: true))
    }
  ]
}
