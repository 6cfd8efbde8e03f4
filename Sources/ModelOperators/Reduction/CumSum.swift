import ModelIR
import TensorCore

/// The sum of the elements up to each one along the axis in operand 1. ONNX CumSum 11–14.
package struct CumSum: CumulativeOperator {
  package static let name = "CumSum"
  package static let fields = [
    Field("exclusive", \CumSum.excludesOwn), Field("reverse", \CumSum.isReversed),
  ]
  package static let start = 0
  package var excludesOwn = false
  package var isReversed = false
  package init() {}
  package func apply(_ a: Double, _ b: Double) -> Double { a + b }
  package func apply(_ a: Int64, _ b: Int64) -> Int64 { a &+ b }
}

extension CumSum: ImportableOperator {
  package static let importers = [CumSum.cumulativeImporter(from: 11)]
}
