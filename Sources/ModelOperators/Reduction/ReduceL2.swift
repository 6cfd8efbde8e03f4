import ModelIR
import ModelKernels
import TensorCore

/// √(Σ x²), along the axes of operand 1. ONNX ReduceL2 1–18 (before 18 the axes are an attribute).
package struct ReduceL2: ReductionOperator {
  package static let name = "ReduceL2"
  package static let fields = [
    Field("keepdims", \ReduceL2.keepDimensions),
    Field("noop_with_empty_axes", \ReduceL2.noopWithEmptyAxes),
  ]
  package static let rowReduction: RowReduction? = .l2
  package var keepDimensions = true
  package var noopWithEmptyAxes = false
  package init() {}
  package func reduce(_ values: [Double]) -> Double {
    values.reduce(0) { $0 + $1 * $1 }.squareRoot()
  }
}

extension ReduceL2: ImportableOperator {
  package static let importers = ReduceL2.reductionImporters()
}

extension ReduceL2: DifferentiableReduction {
  package func derivative(x: Term, y: Term, axes: [Int], count: Int) throws(ModelError) -> Term {
    // Where the norm is 0 every x is, and the gradient counts as 0.
    try x / (y + y.filled(with: 1) - y.filled(with: 1).gated(by: y))
  }
}
