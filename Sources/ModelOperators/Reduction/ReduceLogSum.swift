import Foundation
import ModelIR
import TensorCore

/// ln(Σ x), along the axes of operand 1. ONNX ReduceLogSum 1–28 (before 18 the axes are an attribute).
package struct ReduceLogSum: ReductionOperator {
  package static let name = "ReduceLogSum"
  package static let fields = [
    Field("keepdims", \ReduceLogSum.keepDimensions),
    Field("noop_with_empty_axes", \ReduceLogSum.noopWithEmptyAxes),
  ]
  package var keepDimensions = true
  package var noopWithEmptyAxes = false
  package init() {}
  package func reduce(_ values: [Double]) -> Double {
    log(values.reduce(0, +))
  }
}

extension ReduceLogSum: ImportableOperator {
  package static let importers = ReduceLogSum.reductionImporters()
}

extension ReduceLogSum: DifferentiableReduction {
  package func derivative(x: Term, y: Term, axes: [Int], count: Int) throws(ModelError) -> Term {
    try (-y).applying(Exp())
  }
}
