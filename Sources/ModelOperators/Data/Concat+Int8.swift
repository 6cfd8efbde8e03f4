import ModelIR
import TensorCore

extension Concat: IntegerOperator {
  package func checkInteger(
    _ inputs: Operands<Fact>, _ outputs: [TensorType]
  ) throws(ModelError) {
    try IntegerArithmetic.expectActivations(inputs, outputs)
  }

  /// Operands with the output's parameters move as they are; others are requantized (`Q21`).
  package func integerReference(
    _ inputs: Operands<Tensor>, _ outputs: [TensorType]
  ) throws(ModelError) -> [Tensor] {
    var parts: [Tensor?] = []
    for operand in try inputs.all() {
      parts +=
        operand.quantization == outputs[0].quantization
        ? [operand] : try Quantize().integerReference(Operands([operand]), outputs)
    }
    return try reference(Operands(parts)).map { $0.reading(as: outputs[0].quantization) }
  }
}
