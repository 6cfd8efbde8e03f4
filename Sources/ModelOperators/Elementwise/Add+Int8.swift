import ModelIR
import TensorCore

extension Add: IntegerOperator {
  package func checkInteger(
    _ inputs: Operands<Fact>, _ outputs: [TensorType]
  ) throws(ModelError) {
    for operand in try inputs.all() {
      _ = try IntegerArithmetic.activation(operand.type, "operand")
    }
    _ = try IntegerArithmetic.output(outputs)
  }

  /// `Q22`.
  package func integerReference(
    _ inputs: Operands<Tensor>, _ outputs: [TensorType]
  ) throws(ModelError) -> [Tensor] {
    let (a, b) = (try inputs.required(0), try inputs.required(1))
    let from = (
      try IntegerArithmetic.activation(a.type, "operand"),
      try IntegerArithmetic.activation(b.type, "operand")
    )
    let to = try IntegerArithmetic.output(outputs)
    let multipliers = (from.0.scale / to.scale, from.1.scale / to.scale)
    let shape = try Shape.broadcast(a.shape, b.shape)
    let (x, y) = (a.integers(), b.integers())
    return [
      Tensor(
        shape,
        pairs(a.shape, b.shape, shape).map { (i, j) in
          let p = Float(x[i] - Int64(from.0.zeroPoint)) * multipliers.0
          let q = Float(y[j] - Int64(from.1.zeroPoint)) * multipliers.1
          return IntegerArithmetic.clampToInt8(p + q, zeroPoint: to.zeroPoint)
        }, quantization: to)
    ]
  }
}
