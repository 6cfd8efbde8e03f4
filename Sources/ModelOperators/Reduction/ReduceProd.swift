import ModelIR
import TensorCore

/// Π x, along the axes of operand 1. ONNX ReduceProd 1–18 (before 18 the axes are an attribute).
package struct ReduceProd: ReductionOperator {
  package static let name = "ReduceProd"
  package static let fields = [
    Field("keepdims", \ReduceProd.keepDimensions),
    Field("noop_with_empty_axes", \ReduceProd.noopWithEmptyAxes),
  ]
  package var keepDimensions = true
  package var noopWithEmptyAxes = false
  package init() {}
  package func reduce(_ values: [Double]) -> Double {
    values.reduce(1, *)
  }
  package func reduce(_ values: [Int64]) -> Int64 {
    values.reduce(1, &*)
  }
}

extension ReduceProd: ImportableOperator {
  package static let importers = ReduceProd.reductionImporters()
}
