import ModelIR
import TensorCore

/// A question about each element of a float tensor.
package protocol PredicateOperator: Operator {
  func holds(_ x: Double) -> Bool
}

extension PredicateOperator {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(1...1)
    let x = try inputs.required(0)
    guard x.element.isFloatingPoint else {
      throw ModelError(.typeMismatch, "EW1: \(Self.name) of \(x.element); it needs a float type")
    }
    return [x.type.with(element: .bool)]
  }

  package func outputElements(_ inputs: Operands<Fact>) throws(ModelError) -> [ElementType] {
    [.bool]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    return [Tensor(x.shape, x.doubles().map { holds($0) })]
  }
}
