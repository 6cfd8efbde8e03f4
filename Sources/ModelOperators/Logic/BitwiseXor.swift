import ModelIR
import TensorCore

/// The bitwise exclusive or of two tensors of integers, with multidirectional broadcasting. ONNX BitwiseXor 18.
package struct BitwiseXor: BitwiseOperator {
  package static let name = "BitwiseXor"
  package init() {}
  package func apply(_ a: Int64, _ b: Int64) -> Int64 { a ^ b }
}

extension BitwiseXor: ImportableOperator {
  package static let importers = [Importer("BitwiseXor", 18...newestOpset) { _ in BitwiseXor() }]
}
