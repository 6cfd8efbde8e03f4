import ModelIR
import ModelKernels
import TensorCore

/// Σ x, along the axes of operand 1. ONNX ReduceSum 1–13 (before 13 the axes are an attribute).
package struct ReduceSum: ReductionOperator {
  package static let name = "ReduceSum"
  package static let fields = [
    Field("keepdims", \ReduceSum.keepDimensions),
    Field("noop_with_empty_axes", \ReduceSum.noopWithEmptyAxes),
  ]
  package static let axesOperandVersion = 13
  package static let rowReduction: RowReduction? = .sum
  package var keepDimensions = true
  package var noopWithEmptyAxes = false
  package init() {}
  package func reduce(_ values: [Double]) -> Double {
    values.reduce(0, +)
  }
  package func reduce(_ values: [Int64]) -> Int64 {
    values.reduce(0, &+)
  }
}

extension ReduceSum: ImportableOperator {
  package static let importers = ReduceSum.reductionImporters()
}

extension ReduceSum: DifferentiableReduction {
  package func derivative(x: Term, y: Term, axes: [Int], count: Int) throws(ModelError) -> Term {
    try y.filled(with: 1)
  }
}
