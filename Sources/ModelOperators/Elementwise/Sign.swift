import ModelIR
import ModelKernels
import TensorCore

/// y = −1, 0 or 1 as x is below, at or above 0. ONNX Sign 9–13.
package struct Sign: NumericUnaryOperator {
  package static let name = "Sign"
  package init() {}
  package func apply(_ x: Double) -> Double { x > 0 ? 1 : x < 0 ? -1 : x }
  package func apply(_ x: Int64) -> Int64 { x.signum() }
  package func apply(_ x: UInt64) -> UInt64 { x == 0 ? 0 : 1 }
  package var elementKernel: ElementKernel? { .formula }
}

extension Sign: ImportableOperator {
  package static let importers = [Importer("Sign", 9...newestOpset) { _ in Sign() }]
}
