import ModelIR
import ModelKernels
import TensorCore

/// Σ x², along the axes of operand 1. ONNX ReduceSumSquare 1–18 (before 18 the axes are an attribute).
package struct ReduceSumSquare: ReductionOperator {
  package static let name = "ReduceSumSquare"
  package static let fields = [
    Field("keepdims", \ReduceSumSquare.keepDimensions),
    Field("noop_with_empty_axes", \ReduceSumSquare.noopWithEmptyAxes),
  ]
  package static let rowReduction: RowReduction? = .sumOfSquares
  package var keepDimensions = true
  package var noopWithEmptyAxes = false
  package init() {}
  package func reduce(_ values: [Double]) -> Double {
    values.reduce(0) { $0 + $1 * $1 }
  }
  package func reduce(_ values: [Int64]) -> Int64 {
    values.reduce(0) { $0 &+ $1 &* $1 }
  }
}

extension ReduceSumSquare: ImportableOperator {
  package static let importers = ReduceSumSquare.reductionImporters()
}

extension ReduceSumSquare: DifferentiableReduction {
  package func derivative(x: Term, y: Term, axes: [Int], count: Int) throws(ModelError) -> Term {
    try x * 2
  }
}
