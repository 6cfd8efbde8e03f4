import ModelIR
import TensorCore

/// Σ |x|, along the axes of operand 1. ONNX ReduceL1 1–18 (before 18 the axes are an attribute).
package struct ReduceL1: ReductionOperator {
  package static let name = "ReduceL1"
  package static let fields = [
    Field("keepdims", \ReduceL1.keepDimensions),
    Field("noop_with_empty_axes", \ReduceL1.noopWithEmptyAxes),
  ]
  package var keepDimensions = true
  package var noopWithEmptyAxes = false
  package init() {}
  package func reduce(_ values: [Double]) -> Double {
    values.reduce(0) { $0 + abs($1) }
  }
  package func reduce(_ values: [Int64]) -> Int64 {
    values.reduce(0) { $0 &+ ($1 < 0 ? 0 &- $1 : $1) }
  }
  package func reduce(_ values: [UInt64]) -> UInt64 {
    values.reduce(0, &+)
  }
}

extension ReduceL1: ImportableOperator {
  package static let importers = ReduceL1.reductionImporters()
}

extension ReduceL1: DifferentiableReduction {
  package func derivative(x: Term, y: Term, axes: [Int], count: Int) throws(ModelError) -> Term {
    try x.applying(Sign())
  }
}
