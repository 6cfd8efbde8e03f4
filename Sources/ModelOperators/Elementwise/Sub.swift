import ModelIR
import ModelKernels
import TensorCore

/// y = a − b with multidirectional broadcasting; integers wrap around. ONNX Sub 7–14.
package struct Sub: BinaryOperator {
  package static let name = "Sub"
  package static let rightIdentity: Int? = 0
  package static let binaryFunction: BinaryFunction? = .subtract
  package init() {}
  package func apply(_ a: Double, _ b: Double) -> Double { a - b }
  package func apply(_ a: Int64, _ b: Int64) -> Int64 { a &- b }
}

extension Sub: ImportableOperator {
  package static let importers = [
    .aligning(Sub.self), Importer("Sub", 7...newestOpset) { _ in Sub() },
  ]
}
