import Foundation
import ModelIR
import TensorCore

/// y = artanh x. ONNX Atanh 9–22.
package struct Atanh: UnaryOperator {
  package static let name = "Atanh"
  package init() {}
  package func apply(_ x: Double) -> Double { atanh(x) }
}

extension Atanh: ImportableOperator {
  package static let importers = [Importer("Atanh", 9...newestOpset) { _ in Atanh() }]
}
