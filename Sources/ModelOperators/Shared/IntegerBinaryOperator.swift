import ModelIR
import TensorCore

/// A binary operator whose integer form is `Q22` (sums) or `Q23` (products).
package protocol IntegerBinaryOperator: BinaryOperator, IntegerOperator {
  static var integerForm: IntegerBinaryForm { get }
}

package enum IntegerBinaryForm: Sendable {
  case sum, difference, product
}

extension IntegerBinaryOperator {
  package func checkInteger(
    _ inputs: Operands<Fact>, _ outputs: [TensorType]
  ) throws(ModelError) {
    try inputs.expect(2...2)
    try IntegerArithmetic.expectActivations(inputs, outputs)
  }

  package func integerReference(
    _ inputs: Operands<Tensor>, _ outputs: [TensorType]
  ) throws(ModelError) -> [Tensor] {
    let (a, b) = (try inputs.required(0), try inputs.required(1))
    let (p, q) = (
      try IntegerArithmetic.activation(a.type, "operand"),
      try IntegerArithmetic.activation(b.type, "operand")
    )
    let to = try IntegerArithmetic.output(outputs)
    let shape = try Shape.broadcast(a.shape, b.shape)
    let x = a.integers().map { $0 - Int64(p.zeroPoint) }
    let y = b.integers().map { $0 - Int64(q.zeroPoint) }
    let values = pairs(a.shape, b.shape, shape).map { (i, j) -> Float in
      switch Self.integerForm {
      case .sum: Float(x[i]) * (p.scale / to.scale) + Float(y[j]) * (q.scale / to.scale)
      case .difference: Float(x[i]) * (p.scale / to.scale) + Float(y[j]) * -(q.scale / to.scale)
      case .product: Float(x[i] * y[j]) * ((p.scale * q.scale) / to.scale)
      }
    }
    return [
      Tensor(
        shape, values.map { IntegerArithmetic.clampToInt8($0, zeroPoint: to.zeroPoint) },
        quantization: to)
    ]
  }
}
