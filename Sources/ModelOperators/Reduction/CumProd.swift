import ModelIR
import TensorCore

/// The product of the elements up to each one along the axis in operand 1. ONNX CumProd 26.
package struct CumProd: CumulativeOperator {
  package static let name = "CumProd"
  package static let fields = [
    Field("exclusive", \CumProd.excludesOwn), Field("reverse", \CumProd.isReversed),
  ]
  package static let start = 1
  package var excludesOwn = false
  package var isReversed = false
  package init() {}
  package func apply(_ a: Double, _ b: Double) -> Double { a * b }
  package func apply(_ a: Int64, _ b: Int64) -> Int64 { a &* b }
}

extension CumProd: ImportableOperator {
  package static let importers = [CumProd.cumulativeImporter(from: 26)]
}
