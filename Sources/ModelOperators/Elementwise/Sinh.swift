import Foundation
import ModelIR
import TensorCore

/// y = sinh x. ONNX Sinh 9–22.
package struct Sinh: UnaryOperator {
  package static let name = "Sinh"
  package init() {}
  package func apply(_ x: Double) -> Double { sinh(x) }
}

extension Sinh: ImportableOperator {
  package static let importers = [Importer("Sinh", 9...newestOpset) { _ in Sinh() }]
}
