import Foundation
import ModelIR
import TensorCore

/// y = cos x. ONNX Cos 7–22.
package struct Cos: UnaryOperator {
  package static let name = "Cos"
  package init() {}
  package func apply(_ x: Double) -> Double { cos(x) }
}

extension Cos: ImportableOperator {
  package static let importers = [Importer("Cos", 7...newestOpset) { _ in Cos() }]
}

extension Cos: DifferentiableUnaryOperator {
  package func derivative(x: Term, y: Term) throws(ModelError) -> Term {
    try -(x.applying(Sin()))
  }
}
