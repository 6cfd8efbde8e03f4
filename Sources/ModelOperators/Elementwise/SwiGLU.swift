import Foundation
import ModelIR
import TensorCore

/// y = a · σ(α a) · b, for two operands of one shape.
///
/// Clauses `SG1`, `SG2` of `formats/operators.md`; ONNX SwiGLU 28.
package struct SwiGLU: Operator {
  package static let name = "SwiGLU"
  package static let fields = [Field("alpha", \SwiGLU.alpha)]

  package var alpha: Float = 1

  package init() {}
  package init(alpha: Float) { self.alpha = alpha }
}

extension SwiGLU {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(2...2)
    let (a, b) = (try inputs.required(0), try inputs.required(1))
    guard a.element.isFloatingPoint, b.element == a.element else {
      throw ModelError(.typeMismatch, "SG1: \(a.element) gated by \(b.element)")
    }
    let (x, y) = (try a.dimensions(), try b.dimensions())
    guard x.count == y.count, zip(x, y).allSatisfy({ $0.mayEqual($1) }) else {
      throw ModelError(.shapeMismatch, "SG2: \(a.type) and \(b.type) are not of one shape")
    }
    return [TensorType(a.element, zip(x, y).map { $0.merged(with: $1) })]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let a = try inputs.required(0)
    let gates = try inputs.required(1).doubles()
    let result = zip(a.doubles(), gates).map { $0 / (1 + exp(-Double(alpha) * $0)) * $1 }
    return [Tensor(a.element, a.shape, doubles: result)]
  }
}

extension SwiGLU: ImportableOperator {
  package static let importers = [
    Importer("SwiGLU", 28...newestOpset) { node throws(ModelError) in
      SwiGLU(alpha: try node.attribute("alpha", default: Float(1)))
    }
  ]
}
