import ModelIR
import TensorCore

/// y = a = b with multidirectional broadcasting. ONNX Equal 7–19.
package struct Equal: ComparisonOperator {
  package static let name = "Equal"
  package init() {}
  package func accepts(_ element: ElementType) -> Bool { true }
  package func holds<Value: Comparable>(_ a: Value, _ b: Value) -> Bool { a == b }
}

extension Equal: ImportableOperator {
  package static let importers = [
    .aligning(Equal.self), Importer("Equal", 7...newestOpset) { _ in Equal() },
  ]
}
