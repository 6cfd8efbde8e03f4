import Foundation
import ModelIR
import TensorCore

/// y = tan x. ONNX Tan 7–22.
package struct Tan: UnaryOperator {
  package static let name = "Tan"
  package init() {}
  package func apply(_ x: Double) -> Double { tan(x) }
}

extension Tan: ImportableOperator {
  package static let importers = [Importer("Tan", 7...newestOpset) { _ in Tan() }]
}
