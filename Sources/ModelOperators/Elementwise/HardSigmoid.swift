import ModelIR
import ModelKernels
import TensorCore

/// y = clamp(α·x + β, 0, 1). ONNX HardSigmoid 6–22.
package struct HardSigmoid: UnaryOperator {
  package static let name = "HardSigmoid"
  package static let fields = [
    Field("alpha", \HardSigmoid.alpha), Field("beta", \HardSigmoid.beta),
  ]
  package var alpha: Float = 0.2
  package var beta: Float = 0.5
  package init() {}
  package init(alpha: Float, beta: Float) {
    self.alpha = alpha
    self.beta = beta
  }
  package func apply(_ x: Double) -> Double { clamp(Double(alpha) * x + Double(beta), 0, 1) }
  package var elementKernel: ElementKernel? { .function(.hardSigmoid, p0: alpha, p1: beta) }
}

extension HardSigmoid: ImportableOperator {
  package static let importers = [
    Importer("HardSigmoid", 6...newestOpset) { node throws(ModelError) in
      HardSigmoid(
        alpha: try node.attribute("alpha", default: 0.2),
        beta: try node.attribute("beta", default: 0.5))
    }
  ]
}

extension HardSigmoid: DifferentiableUnaryOperator {
  package func derivative(x: Term, y: Term) throws(ModelError) -> Term {
    try (y * (1 - y)).chosen(x.filled(with: Double(alpha)), else: x.filled(with: 0))
  }
}
