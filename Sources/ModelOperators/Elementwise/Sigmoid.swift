import Foundation
import ModelIR
import ModelKernels
import TensorCore

/// y = 1 / (1 + e⁻ˣ). ONNX Sigmoid 6–13.
package struct Sigmoid: UnaryOperator {
  package static let name = "Sigmoid"
  package init() {}
  package func apply(_ x: Double) -> Double { 1 / (1 + exp(-x)) }
  package var elementKernel: ElementKernel? { .function(.sigmoid) }
}

extension Sigmoid: ImportableOperator {
  package static let importers = [
    Importer("Sigmoid", 6...newestOpset) { _ in Sigmoid() },
    .quantized("QLinearSigmoid") { _ in Sigmoid() },
  ]
}

extension Sigmoid: DifferentiableUnaryOperator {
  package func derivative(x: Term, y: Term) throws(ModelError) -> Term {
    try y * (1 - y)
  }
}
