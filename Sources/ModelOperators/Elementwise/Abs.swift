import ModelIR
import ModelKernels
import TensorCore

/// y = |x|. ONNX Abs 6–13.
package struct Abs: NumericUnaryOperator {
  package static let name = "Abs"
  package init() {}
  package func apply(_ x: Double) -> Double { abs(x) }
  package func apply(_ x: Int64) -> Int64 { x < 0 ? 0 &- x : x }
  package func apply(_ x: UInt64) -> UInt64 { x }
  package var elementKernel: ElementKernel? { .function(.abs) }
}

extension Abs: ImportableOperator {
  package static let importers = [Importer("Abs", 6...newestOpset) { _ in Abs() }]
}

extension Abs: DifferentiableUnaryOperator {
  package func derivative(x: Term, y: Term) throws(ModelError) -> Term {
    try x.applying(Sign())
  }
}
