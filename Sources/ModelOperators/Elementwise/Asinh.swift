import Foundation
import ModelIR
import TensorCore

/// y = arsinh x. ONNX Asinh 9–22.
package struct Asinh: UnaryOperator {
  package static let name = "Asinh"
  package init() {}
  package func apply(_ x: Double) -> Double { asinh(x) }
}

extension Asinh: ImportableOperator {
  package static let importers = [Importer("Asinh", 9...newestOpset) { _ in Asinh() }]
}
