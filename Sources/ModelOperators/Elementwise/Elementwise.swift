import ModelIR
import TensorCore

/// An operator that maps each element of one float tensor.
package protocol UnaryOperator: Operator {
  /// The formula for one element.
  func apply(_ x: Double) -> Double
}

extension UnaryOperator {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(1...1)
    let x = try inputs.required(0)
    guard x.element.isFloatingPoint else {
      throw ModelError(.typeMismatch, "EW1: \(Self.name) of \(x.element); it needs a float type")
    }
    return [x.type]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    return [Tensor(x.element, x.shape, doubles: x.doubles().map { apply($0) })]
  }
}
