import ModelIR
import TensorCore

/// Real numbers as int8: y = rne(x / s) + z, limited to −128…127; from int8 to other parameters where
/// the operand is quantized already (`Q7`, `Q21`). The parameters are those of its output.
///
/// Clauses `QU1`… of `formats/operators.md`. In real numbers it is the identity.
package struct Quantize: ImportableOperator {
  package static let name = "Quantize"
  package init() {}
}

// MARK: - Types

extension Quantize {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(1...1)
    let x = try inputs.required(0)
    guard x.element == .float32 else {
      throw ModelError(.typeMismatch, "QU1: quantization of \(x.element); it needs float32")
    }
    return [x.type]
  }
}

// MARK: - Reference

extension Quantize {
  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    [try inputs.required(0)]
  }
}

// MARK: - Int8

extension Quantize: IntegerOperator {
  package func checkInteger(
    _ inputs: Operands<Fact>, _ outputs: [TensorType]
  ) throws(ModelError) {
    _ = try IntegerArithmetic.output(outputs)
    let x = try inputs.required(0)
    if x.type.quantization != nil { _ = try IntegerArithmetic.activation(x.type, "operand") }
  }

  package func integerReference(
    _ inputs: Operands<Tensor>, _ outputs: [TensorType]
  ) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    let to = try IntegerArithmetic.output(outputs)
    guard let from = x.quantization else {
      return [
        Tensor(
          x.shape, x.floats().map { IntegerArithmetic.quantize($0, to) }, quantization: to)
      ]
    }
    let multiplier = from.scale / to.scale
    return [
      Tensor(
        x.shape,
        x.integers().map {
          IntegerArithmetic.clampToInt8(
            Float($0 - Int64(from.zeroPoint)) * multiplier, zeroPoint: to.zeroPoint)
        }, quantization: to)
    ]
  }
}
