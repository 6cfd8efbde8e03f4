import ModelIR
import TensorCore

/// `Q14`: both operands are int8 activations; the result is int8 or float32.
extension MatMul: IntegerOperator {
  package func checkInteger(
    _ inputs: Operands<Fact>, _ outputs: [TensorType]
  ) throws(ModelError) {
    try inputs.expect(2...2)
    for operand in try inputs.all() {
      _ = try IntegerArithmetic.activation(operand.type, "operand")
    }
    if outputs[0].quantization != nil { _ = try IntegerArithmetic.output(outputs) }
    let (a, b) = (try inputs.required(0).dimensions(), try inputs.required(1).dimensions())
    // An extent that is open here is looked at where shapes are known.
    if let inner = a.last?.value ?? (b.count == 1 ? b[0] : b[b.count - 2]).value {
      try MatMul.checkTerms(inner)
    }
  }

  /// - Throws: `not-quantizable` where a sum of so many products could leave 32 bits.
  static func checkTerms(_ count: Int) throws(ModelError) {
    guard count < 1 << 15 else {
      throw ModelError(.notQuantizable, "Q14: products of \(count) terms could overflow")
    }
  }

  package func integerReference(
    _ inputs: Operands<Tensor>, _ outputs: [TensorType]
  ) throws(ModelError) -> [Tensor] {
    let (a, b) = (try inputs.required(0), try inputs.required(1))
    let (p, q) = (
      try IntegerArithmetic.activation(a.type, "operand"),
      try IntegerArithmetic.activation(b.type, "operand")
    )
    let x = a.integers().map { $0 - Int64(p.zeroPoint) }
    let y = b.integers().map { $0 - Int64(q.zeroPoint) }
    let products = try MatrixProducts(a.shape, b.shape)
    try MatMul.checkTerms(products.k)
    let multiplier = MatMul.multiplier(p, q, outputs[0])
    var values: [Float] = []
    for start in products.starts {
      for i in 0..<products.m {
        for j in 0..<products.n {
          var sum: Int64 = 0
          for k in 0..<products.k {
            sum += x[start.a + i * products.k + k] * y[start.b + k * products.n + j]
          }
          values.append(Float(sum) * multiplier)
        }
      }
    }
    guard let to = outputs[0].quantization else { return [Tensor(products.shape, values)] }
    return [
      Tensor(
        products.shape,
        values.map { IntegerArithmetic.clampToInt8($0, zeroPoint: to.zeroPoint) },
        quantization: to)
    ]
  }

  /// `Q15` with the second operand in the role of the weights.
  static func multiplier(
    _ a: QuantizationParameters, _ b: QuantizationParameters, _ output: TensorType
  ) -> Float {
    let real = a.scale * b.scale
    return output.quantization.map { real / $0.scale } ?? real
  }
}
