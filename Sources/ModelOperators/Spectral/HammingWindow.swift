import ModelIR
import TensorCore

/// The window 25/46 − 21/46 cos(2π n / N), of as many elements as operand 0 says.
///
/// Clause `WF1` of `formats/operators.md`; ONNX HammingWindow 17.
package struct HammingWindow: WindowFunction {
  package static let name = "HammingWindow"
  package static let coefficients = [25.0 / 46, -21.0 / 46]
  package static let fields = [
    Field("periodic", \HammingWindow.periodic), Field("element", \HammingWindow.element),
  ]

  package var periodic = true
  package var element = ElementType.float32

  package init() {}
}

extension HammingWindow: ImportableOperator {
  package static let importers = [importer("HammingWindow")]
}
