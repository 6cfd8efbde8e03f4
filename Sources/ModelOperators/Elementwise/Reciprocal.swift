import ModelIR
import ModelKernels
import TensorCore

/// y = 1 / x. ONNX Reciprocal 6–13.
package struct Reciprocal: UnaryOperator {
  package static let name = "Reciprocal"
  package init() {}
  package func apply(_ x: Double) -> Double { 1 / x }
  package var elementKernel: ElementKernel? { .function(.reciprocal) }
}

extension Reciprocal: ImportableOperator {
  package static let importers = [Importer("Reciprocal", 6...newestOpset) { _ in Reciprocal() }]
}

extension Reciprocal: DifferentiableUnaryOperator {
  package func derivative(x: Term, y: Term) throws(ModelError) -> Term {
    try -(y * y)
  }
}
