import ModelIR
import TensorCore

/// The window ½ − ½ cos(2π n / N), of as many elements as operand 0 says.
///
/// Clause `WF1` of `formats/operators.md`; ONNX HannWindow 17.
package struct HannWindow: WindowFunction {
  package static let name = "HannWindow"
  package static let coefficients = [0.5, -0.5]
  package static let fields = [
    Field("periodic", \HannWindow.periodic), Field("element", \HannWindow.element),
  ]

  package var periodic = true
  package var element = ElementType.float32

  package init() {}
}

extension HannWindow: ImportableOperator {
  package static let importers = [importer("HannWindow")]
}
