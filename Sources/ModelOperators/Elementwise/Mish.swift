import Foundation
import ModelIR
import ModelKernels
import TensorCore

/// y = x · tanh(ln(1 + eˣ)). ONNX Mish 18–22.
package struct Mish: UnaryOperator {
  package static let name = "Mish"
  package init() {}
  package func apply(_ x: Double) -> Double { x * tanh(max(x, 0) + log1p(exp(-abs(x)))) }
  package var elementKernel: ElementKernel? { .function(.mish) }
}

extension Mish: ImportableOperator {
  package static let importers = [Importer("Mish", 18...newestOpset) { _ in Mish() }]
}
