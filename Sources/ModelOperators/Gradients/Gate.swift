import ModelIR
import ModelKernels
import TensorCore

/// y = x where the gate (operand 1) is above 0, else 0: the gradient of what cuts off. No ONNX kind.
///
/// Clauses `BR1`, `GT1` of `formats/operators.md`.
package struct Gate: BinaryOperator, ImportableOperator {
  package static let name = "Gate"
  package static let binaryFunction: BinaryFunction? = .gate
  package init() {}
  package func accepts(_ element: ElementType) -> Bool { element.isFloatingPoint }
  package func apply(_ a: Double, _ b: Double) -> Double { b > 0 ? a : 0 }
  package func apply(_ a: Int64, _ b: Int64) -> Int64 { b > 0 ? a : 0 }
}
