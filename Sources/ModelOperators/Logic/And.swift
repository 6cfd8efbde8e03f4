import ModelIR
import TensorCore

/// The logical and of two tensors of booleans, with multidirectional broadcasting. ONNX And 7.
package struct And: LogicalOperator {
  package static let name = "And"
  package init() {}
  package func apply(_ a: Bool, _ b: Bool) -> Bool { a && b }
}

extension And: ImportableOperator {
  package static let importers = [
    .aligning(And.self), Importer("And", 7...newestOpset) { _ in And() },
  ]
}
