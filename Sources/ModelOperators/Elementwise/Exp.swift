import Foundation
import ModelIR
import ModelKernels
import TensorCore

/// y = eˣ. ONNX Exp 6–13.
package struct Exp: UnaryOperator {
  package static let name = "Exp"
  package init() {}
  package func apply(_ x: Double) -> Double { exp(x) }
  package var elementKernel: ElementKernel? { .function(.exp) }
}

extension Exp: ImportableOperator {
  package static let importers = [Importer("Exp", 6...newestOpset) { _ in Exp() }]
}

extension Exp: DifferentiableUnaryOperator {
  package func derivative(x: Term, y: Term) throws(ModelError) -> Term {
    y
  }
}
