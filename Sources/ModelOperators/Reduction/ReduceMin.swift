import ModelIR
import ModelKernels
import TensorCore

/// the least x, NaN where there is one; of nothing, the greatest value of the type, along the axes of operand 1. ONNX ReduceMin 1–20 (before 18 the axes are an attribute).
package struct ReduceMin: ReductionOperator {
  package static let name = "ReduceMin"
  package static let fields = [
    Field("keepdims", \ReduceMin.keepDimensions),
    Field("noop_with_empty_axes", \ReduceMin.noopWithEmptyAxes),
  ]
  package static let rowReduction: RowReduction? = .minimum
  package var keepDimensions = true
  package var noopWithEmptyAxes = false
  package init() {}
  package func reduceNothing(of element: ElementType) -> Int64? {
    element.integerRange?.upperBound
  }
  package func accepts(_ element: ElementType) -> Bool { true }
  package func reduce(_ values: [Double]) -> Double {
    values.reduce(.infinity) { $0.isNaN || $0 < $1 ? $0 : $1 }
  }
  package func reduce(_ values: [Int64]) -> Int64 {
    values.reduce(.max) { min($0, $1) }
  }
  package func reduce(_ values: [UInt64]) -> UInt64 {
    values.reduce(.max) { min($0, $1) }
  }
}

extension ReduceMin: ImportableOperator {
  package static let importers = ReduceMin.reductionImporters()
}

extension ReduceMin: DifferentiableReduction {
  package func derivative(x: Term, y: Term, axes: [Int], count: Int) throws(ModelError) -> Term {
    let chosen = try x.equals(y)
    return try chosen / chosen.sum(axes)
  }
}
