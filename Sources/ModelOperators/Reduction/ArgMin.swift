import ModelIR
import TensorCore

/// The index along one axis of the least element, the first or the last of equals, as int64. ONNX
/// ArgMin 1–13.
package struct ArgMin: ArgumentOperator {
  package static let name = "ArgMin"
  package static let fields = [
    Field("axis", \ArgMin.axis), Field("keepdims", \ArgMin.keepDimensions),
    Field("select_last_index", \ArgMin.selectsLast),
  ]
  package var axis = 0
  package var keepDimensions = true
  package var selectsLast = false
  package init() {}
  package func precedes<Value: Comparable>(_ a: Value, _ b: Value) -> Bool { a < b }
}

extension ArgMin: ImportableOperator {
  package static let importers = [ArgMin.argumentImporter()]
}
