import Foundation
import ModelIR
import ModelKernels
import TensorCore

/// y = x/2 · (1 + erf(x/√2)), or with `approximate` = tanh:
/// y = x/2 · (1 + tanh(√(2/π) · (x + 0.044715·x³))). ONNX Gelu 20.
package struct Gelu: UnaryOperator {
  package enum Approximation: String, StringAttribute { case none, tanh }
  package static let name = "Gelu"
  package static let fields = [Field("approximate", \Gelu.approximation)]
  package var approximation = Approximation.none
  package init() {}
  package init(_ approximation: Approximation) { self.approximation = approximation }

  package func apply(_ x: Double) -> Double {
    switch approximation {
    case .none: x / 2 * (1 + erf(x / 2.0.squareRoot()))
    case .tanh: x / 2 * (1 + tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
    }
  }
  package var elementKernel: ElementKernel? {
    .function(approximation == .none ? .gelu : .geluTanh)
  }
}

extension Gelu: ImportableOperator {
  package static let importers =
    [
      Importer("Gelu", 20...newestOpset) { node throws(ModelError) in
        Gelu(try node.attribute("approximate", default: Approximation.none))
      }
    ] + fusedImporters
}
