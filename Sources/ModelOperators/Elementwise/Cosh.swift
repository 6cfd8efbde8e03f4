import Foundation
import ModelIR
import TensorCore

/// y = cosh x. ONNX Cosh 9–22.
package struct Cosh: UnaryOperator {
  package static let name = "Cosh"
  package init() {}
  package func apply(_ x: Double) -> Double { cosh(x) }
}

extension Cosh: ImportableOperator {
  package static let importers = [Importer("Cosh", 9...newestOpset) { _ in Cosh() }]
}
