import Foundation
import ModelIR
import TensorCore

/// y = max(0, x) + min(0, α·(exp(x/α) − 1)). ONNX Celu 12–28.
package struct Celu: UnaryOperator {
  package static let name = "Celu"
  package static let fields = [Field("alpha", \Celu.alpha)]
  package var alpha: Float = 1
  package init() {}
  package init(alpha: Float) {
    self.alpha = alpha
  }
  package func apply(_ x: Double) -> Double {
    x < 0 ? Double(alpha) * (exp(x / Double(alpha)) - 1) : x
  }
}

extension Celu: ImportableOperator {
  package static let importers = [
    Importer("Celu", 12...newestOpset) { node throws(ModelError) in
      Celu(
        alpha: try node.attribute("alpha", default: 1))
    }
  ]
}
