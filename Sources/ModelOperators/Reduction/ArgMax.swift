import ModelIR
import TensorCore

/// The index along one axis of the greatest element, the first or the last of equals, as int64. ONNX
/// ArgMax 1–13.
package struct ArgMax: ArgumentOperator {
  package static let name = "ArgMax"
  package static let fields = [
    Field("axis", \ArgMax.axis), Field("keepdims", \ArgMax.keepDimensions),
    Field("select_last_index", \ArgMax.selectsLast),
  ]
  package var axis = 0
  package var keepDimensions = true
  package var selectsLast = false
  package init() {}
  package func precedes<Value: Comparable>(_ a: Value, _ b: Value) -> Bool { a > b }
}

extension ArgMax: ImportableOperator {
  package static let importers = [ArgMax.argumentImporter()]
}
