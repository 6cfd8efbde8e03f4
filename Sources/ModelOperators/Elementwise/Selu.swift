import Foundation
import ModelIR
import TensorCore

/// y = γ·x where x > 0, else γ·α·(eˣ − 1). ONNX Selu 6–22.
package struct Selu: UnaryOperator {
  package static let name = "Selu"
  package static let fields = [Field("alpha", \Selu.alpha), Field("gamma", \Selu.gamma)]
  package var alpha: Float = 1.6732632
  package var gamma: Float = 1.050701
  package init() {}
  package init(alpha: Float, gamma: Float) {
    self.alpha = alpha
    self.gamma = gamma
  }
  package func apply(_ x: Double) -> Double {
    Double(gamma) * (x > 0 ? x : Double(alpha) * (exp(x) - 1))
  }
}

extension Selu: ImportableOperator {
  package static let importers = [
    Importer("Selu", 6...newestOpset) { node throws(ModelError) in
      Selu(
        alpha: try node.attribute("alpha", default: 1.6732632),
        gamma: try node.attribute("gamma", default: 1.050701))
    }
  ]
}
