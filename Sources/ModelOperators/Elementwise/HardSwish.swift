import ModelIR
import ModelKernels
import TensorCore

/// y = x · clamp(x/6 + ½, 0, 1). ONNX HardSwish 14–22.
package struct HardSwish: UnaryOperator {
  package static let name = "HardSwish"
  package init() {}
  package func apply(_ x: Double) -> Double { x * clamp(x / 6 + 0.5, 0, 1) }
  package var elementKernel: ElementKernel? { .function(.hardSwish) }
}

extension HardSwish: ImportableOperator {
  package static let importers = [Importer("HardSwish", 14...newestOpset) { _ in HardSwish() }]
}

extension HardSwish: DifferentiableUnaryOperator {
  package func derivative(x: Term, y: Term) throws(ModelError) -> Term {
    let middle = try (x + 3) * (3 - x)
    return try middle.chosen(
      x * (1.0 / 3) + 0.5, else: x.chosen(x.filled(with: 1), else: x.filled(with: 0)))
  }
}
