import Foundation
import ModelIR
import TensorCore

/// y = arccos x. ONNX Acos 7–22.
package struct Acos: UnaryOperator {
  package static let name = "Acos"
  package init() {}
  package func apply(_ x: Double) -> Double { acos(x) }
}

extension Acos: ImportableOperator {
  package static let importers = [Importer("Acos", 7...newestOpset) { _ in Acos() }]
}
