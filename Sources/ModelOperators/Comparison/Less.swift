import ModelIR
import TensorCore

/// y = a < b with multidirectional broadcasting. ONNX Less 7–13.
package struct Less: ComparisonOperator {
  package static let name = "Less"
  package init() {}
  package func holds<Value: Comparable>(_ a: Value, _ b: Value) -> Bool { a < b }
}

extension Less: ImportableOperator {
  package static let importers = [
    .aligning(Less.self), Importer("Less", 7...newestOpset) { _ in Less() },
  ]
}
