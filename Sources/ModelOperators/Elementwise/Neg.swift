import ModelIR
import ModelKernels
import TensorCore

/// y = −x. ONNX Neg 6–13.
package struct Neg: NumericUnaryOperator {
  package static let name = "Neg"
  package init() {}
  package func apply(_ x: Double) -> Double { -x }
  package func apply(_ x: Int64) -> Int64 { 0 &- x }
  package func apply(_ x: UInt64) -> UInt64 { 0 &- x }
  package var elementKernel: ElementKernel? { .function(.negate) }
}

extension Neg: ImportableOperator {
  package static let importers = [Importer("Neg", 6...newestOpset) { _ in Neg() }]
}

extension Neg: DifferentiableUnaryOperator {
  package func derivative(x: Term, y: Term) throws(ModelError) -> Term {
    try x.filled(with: -1)
  }
}
