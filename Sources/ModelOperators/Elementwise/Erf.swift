import Foundation
import ModelIR
import ModelKernels
import TensorCore

/// y = erf x = 2/√π · ∫₀ˣ exp(−t²) dt. ONNX Erf 9–13.
package struct Erf: UnaryOperator {
  package static let name = "Erf"
  package init() {}
  package func apply(_ x: Double) -> Double { erf(x) }
  package var elementKernel: ElementKernel? { .function(.erf) }
}

extension Erf: ImportableOperator {
  package static let importers = [Importer("Erf", 9...newestOpset) { _ in Erf() }]
}

extension Erf: DifferentiableUnaryOperator {
  package func derivative(x: Term, y: Term) throws(ModelError) -> Term {
    try (-(x * x)).applying(Exp()) * (2 / Double.pi.squareRoot())
  }
}
