import Foundation
import ModelIR
import TensorCore

/// ln(Σ eˣ), along the axes of operand 1. ONNX ReduceLogSumExp 1–28 (before 18 the axes are an attribute).
package struct ReduceLogSumExp: ReductionOperator {
  package static let name = "ReduceLogSumExp"
  package static let fields = [
    Field("keepdims", \ReduceLogSumExp.keepDimensions),
    Field("noop_with_empty_axes", \ReduceLogSumExp.noopWithEmptyAxes),
  ]
  package var keepDimensions = true
  package var noopWithEmptyAxes = false
  package init() {}
  package func reduce(_ values: [Double]) -> Double {
    let greatest = values.max() ?? -.infinity
    guard greatest.isFinite else { return greatest }
    return greatest + log(values.reduce(0) { $0 + exp($1 - greatest) })
  }
}

extension ReduceLogSumExp: ImportableOperator {
  package static let importers = ReduceLogSumExp.reductionImporters()
}

extension ReduceLogSumExp: DifferentiableReduction {
  package func derivative(x: Term, y: Term, axes: [Int], count: Int) throws(ModelError) -> Term {
    try (x - y).applying(Exp())
  }
}
