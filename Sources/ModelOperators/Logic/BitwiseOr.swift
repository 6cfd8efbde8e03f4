import ModelIR
import TensorCore

/// The bitwise or of two tensors of integers, with multidirectional broadcasting. ONNX BitwiseOr 18.
package struct BitwiseOr: BitwiseOperator {
  package static let name = "BitwiseOr"
  package init() {}
  package func apply(_ a: Int64, _ b: Int64) -> Int64 { a | b }
}

extension BitwiseOr: ImportableOperator {
  package static let importers = [Importer("BitwiseOr", 18...newestOpset) { _ in BitwiseOr() }]
}
