import ModelIR
import ModelKernels
import TensorCore

/// y = x where x ≥ 0, else α·x. ONNX LeakyRelu 6–16.
package struct LeakyRelu: UnaryOperator {
  package static let name = "LeakyRelu"
  package static let fields = [Field("alpha", \LeakyRelu.alpha)]
  package var alpha: Float = 0.01
  package init() {}
  package init(alpha: Float) {
    self.alpha = alpha
  }
  package func apply(_ x: Double) -> Double { x < 0 ? Double(alpha) * x : x }
  package var elementKernel: ElementKernel? { .function(.leaky, p0: alpha) }
}

extension LeakyRelu: ImportableOperator {
  package static let importers = [
    Importer("LeakyRelu", 6...newestOpset) { node throws(ModelError) in
      LeakyRelu(
        alpha: try node.attribute("alpha", default: 0.01))
    },
    .quantized("QLinearLeakyRelu") { node throws(ModelError) in
      LeakyRelu(alpha: try node.attribute("alpha", default: 0.01))
    },
  ]
}

extension LeakyRelu: DifferentiableUnaryOperator {
  package func derivative(x: Term, y: Term) throws(ModelError) -> Term {
    try x.chosen(x.filled(with: 1), else: x.filled(with: Double(alpha)))
  }
}
