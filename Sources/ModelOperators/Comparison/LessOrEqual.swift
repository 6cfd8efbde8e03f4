import ModelIR
import TensorCore

/// y = a ≤ b with multidirectional broadcasting. ONNX LessOrEqual 12–16.
package struct LessOrEqual: ComparisonOperator {
  package static let name = "LessOrEqual"
  package init() {}
  package func holds<Value: Comparable>(_ a: Value, _ b: Value) -> Bool { a <= b }
}

extension LessOrEqual: ImportableOperator {
  package static let importers = [Importer("LessOrEqual", 12...newestOpset) { _ in LessOrEqual() }]
}
