import Foundation
import ModelIR
import ModelKernels
import TensorCore

/// y = ln x. ONNX Log 6–13.
package struct Log: UnaryOperator {
  package static let name = "Log"
  package init() {}
  package func apply(_ x: Double) -> Double { log(x) }
  package var elementKernel: ElementKernel? { .function(.log) }
}

extension Log: ImportableOperator {
  package static let importers = [Importer("Log", 6...newestOpset) { _ in Log() }]
}

extension Log: DifferentiableUnaryOperator {
  package func derivative(x: Term, y: Term) throws(ModelError) -> Term {
    try 1 / x
  }
}
