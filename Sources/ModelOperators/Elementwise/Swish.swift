import Foundation
import ModelIR
import ModelKernels
import TensorCore

/// y = x / (1 + exp(−α·x)). ONNX Swish 24, and SwiGLU 28, whose second operand multiplies the result.
package struct Swish: UnaryOperator {
  package static let name = "Swish"
  package static let fields = [Field("alpha", \Swish.alpha)]
  package var alpha: Float = 1
  package init() {}
  package init(alpha: Float) {
    self.alpha = alpha
  }
  package func apply(_ x: Double) -> Double { x / (1 + exp(-Double(alpha) * x)) }
  package var elementKernel: ElementKernel? { alpha == 1 ? .function(.silu) : nil }
}

extension Swish: ImportableOperator {
  package static let importers =
    [
      Importer("Swish", 24...newestOpset) { node throws(ModelError) in
        Swish(
          alpha: try node.attribute("alpha", default: 1))
      },
      Importer("SwiGLU", 28...newestOpset) { (node, graph) throws(ModelError) in
        let gate = try graph.appendOne(
          Swish(alpha: try node.attribute("alpha", default: 1)), named: "\(node.name).gate",
          to: [try node.required(0)], origin: node.origin)
        return try node.append(Mul(), on: [gate, try node.required(1)], to: &graph)
      },
    ] + fusedImporters
}

extension Swish: DifferentiableUnaryOperator {
  package func derivative(x: Term, y: Term) throws(ModelError) -> Term {
    let gate = try (x * Double(alpha)).applying(Sigmoid())
    return try gate + y * Double(alpha) * (1 - gate)
  }
}
