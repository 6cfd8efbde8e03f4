import ModelIR
import TensorCore

/// The float32 numbers that int8 stands for: x = (q − z)·s (`Q8`).
///
/// Clauses `DQ1`… of `formats/operators.md`. In real numbers it is the identity.
package struct Dequantize: ImportableOperator {
  package static let name = "Dequantize"
  package init() {}
}

// MARK: - Types

extension Dequantize {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(1...1)
    let x = try inputs.required(0)
    guard x.element == .float32 else {
      throw ModelError(.typeMismatch, "DQ1: dequantization of \(x.element)")
    }
    return [x.type]
  }
}

// MARK: - Reference

extension Dequantize {
  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    [try inputs.required(0)]
  }
}

// MARK: - Int8

extension Dequantize: IntegerOperator {
  package func checkInteger(
    _ inputs: Operands<Fact>, _ outputs: [TensorType]
  ) throws(ModelError) {
    guard outputs[0].quantization == nil else {
      throw ModelError(.notQuantizable, "DQ2: the output of a dequantization is float32")
    }
    let x = try inputs.required(0)
    if x.type.quantization?.axis != nil { return try IntegerArithmetic.expectTable(x) }
    _ = try IntegerArithmetic.activation(x.type, "operand")
  }

  package func integerReference(
    _ inputs: Operands<Tensor>, _ outputs: [TensorType]
  ) throws(ModelError) -> [Tensor] {
    [try inputs.required(0).dequantized()]
  }
}
