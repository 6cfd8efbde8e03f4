import Foundation
import ModelIR
import ModelKernels
import TensorCore

/// y = x where x ≥ 0, else α·(eˣ − 1). ONNX Elu 6–22.
package struct Elu: UnaryOperator {
  package static let name = "Elu"
  package static let fields = [Field("alpha", \Elu.alpha)]
  package var alpha: Float = 1
  package init() {}
  package init(alpha: Float) {
    self.alpha = alpha
  }
  package func apply(_ x: Double) -> Double { x < 0 ? Double(alpha) * (exp(x) - 1) : x }
  package var elementKernel: ElementKernel? { .function(.elu, p0: alpha) }
}

extension Elu: ImportableOperator {
  package static let importers = [
    Importer("Elu", 6...newestOpset) { node throws(ModelError) in
      Elu(
        alpha: try node.attribute("alpha", default: 1))
    }
  ]
}

extension Elu: DifferentiableUnaryOperator {
  package func derivative(x: Term, y: Term) throws(ModelError) -> Term {
    try x.chosen(x.filled(with: 1), else: y + Double(alpha))
  }
}
