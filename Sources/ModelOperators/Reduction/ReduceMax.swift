import ModelIR
import ModelKernels
import TensorCore

/// the greatest x, NaN where there is one; of nothing, the least value of the type, along the axes of operand 1. ONNX ReduceMax 1–20 (before 18 the axes are an attribute).
package struct ReduceMax: ReductionOperator {
  package static let name = "ReduceMax"
  package static let fields = [
    Field("keepdims", \ReduceMax.keepDimensions),
    Field("noop_with_empty_axes", \ReduceMax.noopWithEmptyAxes),
  ]
  package static let rowReduction: RowReduction? = .maximum
  package var keepDimensions = true
  package var noopWithEmptyAxes = false
  package init() {}
  package func reduceNothing(of element: ElementType) -> Int64? {
    element.integerRange?.lowerBound
  }
  package func accepts(_ element: ElementType) -> Bool { true }
  package func reduce(_ values: [Double]) -> Double {
    values.reduce(-.infinity) { $0.isNaN || $0 > $1 ? $0 : $1 }
  }
  package func reduce(_ values: [Int64]) -> Int64 {
    values.reduce(.min) { max($0, $1) }
  }
  package func reduce(_ values: [UInt64]) -> UInt64 {
    values.reduce(0) { max($0, $1) }
  }
}

extension ReduceMax: ImportableOperator {
  package static let importers = ReduceMax.reductionImporters()
}

extension ReduceMax: DifferentiableReduction {
  package func derivative(x: Term, y: Term, axes: [Int], count: Int) throws(ModelError) -> Term {
    let chosen = try x.equals(y)
    return try chosen / chosen.sum(axes)
  }
}
