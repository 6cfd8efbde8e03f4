import ModelIR
import TensorCore

/// The bitwise and of two tensors of integers, with multidirectional broadcasting. ONNX BitwiseAnd 18.
package struct BitwiseAnd: BitwiseOperator {
  package static let name = "BitwiseAnd"
  package init() {}
  package func apply(_ a: Int64, _ b: Int64) -> Int64 { a & b }
}

extension BitwiseAnd: ImportableOperator {
  package static let importers = [Importer("BitwiseAnd", 18...newestOpset) { _ in BitwiseAnd() }]
}
