import ModelIR
import ModelKernels
import TensorCore

/// y = x where x > α, else 0. ONNX ThresholdedRelu 10–22.
package struct ThresholdedRelu: UnaryOperator {
  package static let name = "ThresholdedRelu"
  package static let fields = [Field("alpha", \ThresholdedRelu.alpha)]
  package var alpha: Float = 1
  package init() {}
  package init(alpha: Float) {
    self.alpha = alpha
  }
  package func apply(_ x: Double) -> Double { x > Double(alpha) ? x : 0 }
  package var elementKernel: ElementKernel? { .formula }
}

extension ThresholdedRelu: ImportableOperator {
  package static let importers = [
    Importer("ThresholdedRelu", 10...newestOpset) { node throws(ModelError) in
      ThresholdedRelu(
        alpha: try node.attribute("alpha", default: 1))
    }
  ]
}
