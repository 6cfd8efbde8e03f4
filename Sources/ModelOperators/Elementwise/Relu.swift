import ModelIR
import TensorCore

/// y = max(x, 0), NaN for NaN. ONNX Relu 6–14.
package struct Relu: UnaryOperator {
  package static let name = "Relu"
  package init() {}
  package func apply(_ x: Double) -> Double { x.isNaN ? x : max(x, 0) }
}

extension Relu: ImportableOperator {
  package static let importers = [Importer("Relu", 6...newestOpset) { _ in Relu() }]
}
