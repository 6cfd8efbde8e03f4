import Foundation
import ModelIR
import TensorCore

/// y = arctan x. ONNX Atan 7–22.
package struct Atan: UnaryOperator {
  package static let name = "Atan"
  package init() {}
  package func apply(_ x: Double) -> Double { atan(x) }
}

extension Atan: ImportableOperator {
  package static let importers = [Importer("Atan", 7...newestOpset) { _ in Atan() }]
}
