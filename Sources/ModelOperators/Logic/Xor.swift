import ModelIR
import TensorCore

/// The logical exclusive or of two tensors of booleans, with multidirectional broadcasting. ONNX Xor 7.
package struct Xor: LogicalOperator {
  package static let name = "Xor"
  package init() {}
  package func apply(_ a: Bool, _ b: Bool) -> Bool { a != b }
}

extension Xor: ImportableOperator {
  package static let importers = [
    .aligning(Xor.self), Importer("Xor", 7...newestOpset) { _ in Xor() },
  ]
}
