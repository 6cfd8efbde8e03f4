import ModelIR
import ModelKernels
import TensorCore

/// y = √x. ONNX Sqrt 6–13.
package struct Sqrt: UnaryOperator {
  package static let name = "Sqrt"
  package init() {}
  package func apply(_ x: Double) -> Double { x.squareRoot() }
  package var elementKernel: ElementKernel? { .function(.sqrt) }
}

extension Sqrt: ImportableOperator {
  package static let importers = [Importer("Sqrt", 6...newestOpset) { _ in Sqrt() }]
}

extension Sqrt: DifferentiableUnaryOperator {
  package func derivative(x: Term, y: Term) throws(ModelError) -> Term {
    try 0.5 / y
  }
}
