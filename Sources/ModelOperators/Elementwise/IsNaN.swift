import ModelIR
import TensorCore

/// Whether x is not a number. ONNX IsNaN 9–20.
package struct IsNaN: PredicateOperator {
  package static let name = "IsNaN"
  package init() {}
  package func holds(_ x: Double) -> Bool { x.isNaN }
}

extension IsNaN: ImportableOperator {
  package static let importers = [Importer("IsNaN", 9...newestOpset) { _ in IsNaN() }]
}
