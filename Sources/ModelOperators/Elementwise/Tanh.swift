import Foundation
import ModelIR
import ModelKernels
import TensorCore

/// y = tanh x. ONNX Tanh 6–13.
package struct Tanh: UnaryOperator {
  package static let name = "Tanh"
  package init() {}
  package func apply(_ x: Double) -> Double { tanh(x) }
  package var elementKernel: ElementKernel? { .function(.tanh) }
}

extension Tanh: ImportableOperator {
  package static let importers = [Importer("Tanh", 6...newestOpset) { _ in Tanh() }]
}

extension Tanh: DifferentiableUnaryOperator {
  package func derivative(x: Term, y: Term) throws(ModelError) -> Term {
    try 1 - y * y
  }
}
