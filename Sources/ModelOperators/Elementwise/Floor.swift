import ModelIR
import ModelKernels
import TensorCore

/// y = ⌊x⌋. ONNX Floor 6–13.
package struct Floor: UnaryOperator {
  package static let name = "Floor"
  package init() {}
  package func apply(_ x: Double) -> Double { x.rounded(.down) }
  package var elementKernel: ElementKernel? { .formula }
}

extension Floor: ImportableOperator {
  package static let importers = [Importer("Floor", 6...newestOpset) { _ in Floor() }]
}
