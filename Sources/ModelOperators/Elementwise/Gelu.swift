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

extension Gelu: DifferentiableUnaryOperator {
  package func derivative(x: Term, y: Term) throws(ModelError) -> Term {
    switch approximation {
    case .none:
      let density = try (x * x * -0.5).applying(Exp()) * (1 / (2 * Double.pi).squareRoot())
      return try (x * 0.5.squareRoot()).applying(Erf()) * 0.5 + 0.5 + x * density
    case .tanh:
      let root = (2 / Double.pi).squareRoot()
      let bend = try (x * (x * x * 0.044715 + 1) * root).applying(Tanh())
      let slope = try (x * x * (3 * 0.044715) + 1) * root
      return try (bend + 1 + x * (1 - bend * bend) * slope) * 0.5
    }
  }
}
