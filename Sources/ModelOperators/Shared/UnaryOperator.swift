import ModelIR
import TensorCore

/// An operator that maps each element of one tensor of floats (`EW1`).
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

/// A unary operator that takes integers too.
package protocol NumericUnaryOperator: UnaryOperator {
  func apply(_ x: Int64) -> Int64
  /// For unsigned elements, whose 64-bit form may not fit `Int64`.
  func apply(_ x: UInt64) -> UInt64
}

extension NumericUnaryOperator {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(1...1)
    let x = try inputs.required(0)
    guard x.element != .bool else {
      throw ModelError(.typeMismatch, "EW1: \(Self.name) of bool; it needs a numeric type")
    }
    return [x.type]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    guard x.element.isInteger else {
      return [Tensor(x.element, x.shape, doubles: x.doubles().map { apply($0) })]
    }
    let values = x.integers()
    guard !x.element.isSigned else {
      return [Tensor(x.element, x.shape, integers: values.map { apply($0) })]
    }
    return [
      Tensor(
        x.element, x.shape,
        integers: values.map { Int64(bitPattern: apply(UInt64(bitPattern: $0))) })
    ]
  }

  package func extents(_ inputs: Operands<Fact>) -> [Dimension]? {
    inputs.optional(0)?.extents?.map { $0.value.map { .fixed(Int(apply(Int64($0)))) } ?? .unknown }
  }
}

/// `x` kept within limits; NaN stays NaN.
func clamp(_ x: Double, _ lower: Double, _ upper: Double) -> Double {
  let raised = x < lower ? lower : x
  return raised > upper ? upper : raised
}
