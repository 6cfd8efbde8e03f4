import ModelIR
import ModelKernels
import TensorCore

/// y = x rounded to the nearest whole number, ties to even. ONNX Round 11–22.
package struct Round: UnaryOperator {
  package static let name = "Round"
  package init() {}
  package func apply(_ x: Double) -> Double { x.rounded(.toNearestOrEven) }
  package var elementKernel: ElementKernel? { .formula }
}

extension Round: ImportableOperator {
  package static let importers = [Importer("Round", 11...newestOpset) { _ in Round() }]
}
