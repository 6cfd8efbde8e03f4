import ModelIR
import TensorCore

/// The window 0.42 − ½ cos(2π n / N) + 0.08 cos(4π n / N), of as many elements as operand 0 says.
///
/// Clause `WF1` of `formats/operators.md`; ONNX BlackmanWindow 17.
package struct BlackmanWindow: WindowFunction {
  package static let name = "BlackmanWindow"
  package static let coefficients = [0.42, -0.5, 0.08]
  package static let fields = [
    Field("periodic", \BlackmanWindow.periodic), Field("element", \BlackmanWindow.element),
  ]

  package var periodic = true
  package var element = ElementType.float32

  package init() {}
}

extension BlackmanWindow: ImportableOperator {
  package static let importers = [importer("BlackmanWindow")]
}
