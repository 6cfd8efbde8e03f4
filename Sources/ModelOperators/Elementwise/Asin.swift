import Foundation
import ModelIR
import TensorCore

/// y = arcsin x. ONNX Asin 7–22.
package struct Asin: UnaryOperator {
  package static let name = "Asin"
  package init() {}
  package func apply(_ x: Double) -> Double { asin(x) }
}

extension Asin: ImportableOperator {
  package static let importers = [Importer("Asin", 7...newestOpset) { _ in Asin() }]
}
