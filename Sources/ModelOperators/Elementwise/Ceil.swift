import ModelIR
import ModelKernels
import TensorCore

/// y = ⌈x⌉. ONNX Ceil 6–13.
package struct Ceil: UnaryOperator {
  package static let name = "Ceil"
  package init() {}
  package func apply(_ x: Double) -> Double { x.rounded(.up) }
  package var elementKernel: ElementKernel? { .formula }
}

extension Ceil: ImportableOperator {
  package static let importers = [Importer("Ceil", 6...newestOpset) { _ in Ceil() }]
}
