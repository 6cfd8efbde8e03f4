import ModelIR
import TensorCore

/// y = a ≥ b with multidirectional broadcasting. ONNX GreaterOrEqual 12–16.
package struct GreaterOrEqual: ComparisonOperator {
  package static let name = "GreaterOrEqual"
  package init() {}
  package func holds<Value: Comparable>(_ a: Value, _ b: Value) -> Bool { a >= b }
}

extension GreaterOrEqual: ImportableOperator {
  package static let importers = [
    Importer("GreaterOrEqual", 12...newestOpset) { _ in GreaterOrEqual() }
  ]
}
