import Foundation
import ModelIR
import TensorCore

/// y = sin x. ONNX Sin 7–22.
package struct Sin: UnaryOperator {
  package static let name = "Sin"
  package init() {}
  package func apply(_ x: Double) -> Double { sin(x) }
}

extension Sin: ImportableOperator {
  package static let importers = [Importer("Sin", 7...newestOpset) { _ in Sin() }]
}

extension Sin: DifferentiableUnaryOperator {
  package func derivative(x: Term, y: Term) throws(ModelError) -> Term {
    try x.applying(Cos())
  }
}
