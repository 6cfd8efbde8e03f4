import ModelIR
import ModelKernels
import TensorCore

/// Σ x / n; of integers, towards zero, along the axes of operand 1. ONNX ReduceMean 1–18 (before 18 the axes are an attribute).
package struct ReduceMean: ReductionOperator {
  package static let name = "ReduceMean"
  package static let fields = [
    Field("keepdims", \ReduceMean.keepDimensions),
    Field("noop_with_empty_axes", \ReduceMean.noopWithEmptyAxes),
  ]
  package static let rowReduction: RowReduction? = .mean
  package var keepDimensions = true
  package var noopWithEmptyAxes = false
  package init() {}
  package func reduce(_ values: [Double]) -> Double {
    values.reduce(0, +) / Double(values.count)
  }
  package func reduce(_ values: [Int64]) -> Int64 {
    values.isEmpty ? 0 : values.reduce(0, &+) / Int64(values.count)
  }
  package func reduce(_ values: [UInt64]) -> UInt64 {
    values.isEmpty ? 0 : values.reduce(0, &+) / UInt64(values.count)
  }
}

extension ReduceMean: ImportableOperator {
  package static let importers = ReduceMean.reductionImporters()
}

extension ReduceMean: DifferentiableReduction {
  package func derivative(x: Term, y: Term, axes: [Int], count: Int) throws(ModelError) -> Term {
    try y.filled(with: 1 / Double(count))
  }
}
