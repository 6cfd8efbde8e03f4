import ModelIR
import TensorCore

/// The logical or of two tensors of booleans, with multidirectional broadcasting. ONNX Or 7.
package struct Or: LogicalOperator {
  package static let name = "Or"
  package init() {}
  package func apply(_ a: Bool, _ b: Bool) -> Bool { a || b }
}

extension Or: ImportableOperator {
  package static let importers = [
    .aligning(Or.self), Importer("Or", 7...newestOpset) { _ in Or() },
  ]
}
