import ModelIR
import ModelKernels
import TensorCore

/// y = x + b where x < −λ, x − b where x > λ, else 0. ONNX Shrink 9.
package struct Shrink: UnaryOperator {
  package static let name = "Shrink"
  package static let fields = [Field("lambd", \Shrink.lambda), Field("bias", \Shrink.bias)]
  package var lambda: Float = 0.5
  package var bias: Float = 0
  package init() {}
  package init(lambda: Float, bias: Float) {
    self.lambda = lambda
    self.bias = bias
  }
  package func apply(_ x: Double) -> Double {
    if x < -Double(lambda) { return x + Double(bias) }
    return x > Double(lambda) ? x - Double(bias) : 0
  }
  package var elementKernel: ElementKernel? { .formula }
}

extension Shrink: ImportableOperator {
  package static let importers = [
    Importer("Shrink", 9...newestOpset) { node throws(ModelError) in
      Shrink(
        lambda: try node.attribute("lambd", default: 0.5),
        bias: try node.attribute("bias", default: 0))
    }
  ]
}
