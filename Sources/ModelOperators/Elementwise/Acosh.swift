import Foundation
import ModelIR
import TensorCore

/// y = arcosh x. ONNX Acosh 9–22.
package struct Acosh: UnaryOperator {
  package static let name = "Acosh"
  package init() {}
  package func apply(_ x: Double) -> Double { acosh(x) }
}

extension Acosh: ImportableOperator {
  package static let importers = [Importer("Acosh", 9...newestOpset) { _ in Acosh() }]
}
