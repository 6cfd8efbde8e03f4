import ModelIR
import ModelKernels
import TensorCore

/// y = x / (1 + |x|). ONNX Softsign 1–22.
package struct Softsign: UnaryOperator {
  package static let name = "Softsign"
  package init() {}
  package func apply(_ x: Double) -> Double { x / (1 + abs(x)) }
  package var elementKernel: ElementKernel? { .function(.softsign) }
}

extension Softsign: ImportableOperator {
  package static let importers = [Importer("Softsign", 1...newestOpset) { _ in Softsign() }]
}

extension Softsign: DifferentiableUnaryOperator {
  package func derivative(x: Term, y: Term) throws(ModelError) -> Term {
    let sum = try x.applying(Abs()) + 1
    return try 1 / (sum * sum)
  }
}
