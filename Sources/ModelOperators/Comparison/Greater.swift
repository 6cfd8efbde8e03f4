import ModelIR
import TensorCore

/// y = a > b with multidirectional broadcasting. ONNX Greater 7–13.
package struct Greater: ComparisonOperator {
  package static let name = "Greater"
  package init() {}
  package func holds<Value: Comparable>(_ a: Value, _ b: Value) -> Bool { a > b }
}

extension Greater: ImportableOperator {
  package static let importers = [
    .aligning(Greater.self), Importer("Greater", 7...newestOpset) { _ in Greater() },
  ]
}
