import Foundation
import ModelIR
import ModelKernels
import TensorCore

/// y = ln(1 + eˣ). ONNX Softplus 1–22.
package struct Softplus: UnaryOperator {
  package static let name = "Softplus"
  package init() {}
  package func apply(_ x: Double) -> Double { max(x, 0) + log1p(exp(-abs(x))) }
  package var elementKernel: ElementKernel? { .function(.softplus) }
}

extension Softplus: ImportableOperator {
  package static let importers = [Importer("Softplus", 1...newestOpset) { _ in Softplus() }]
}

extension Softplus: DifferentiableUnaryOperator {
  package func derivative(x: Term, y: Term) throws(ModelError) -> Term {
    try x.applying(Sigmoid())
  }
}
