import ModelIR
import TensorCore

extension GlobalAveragePool: IntegerOperator {
  package func checkInteger(
    _ inputs: Operands<Fact>, _ outputs: [TensorType]
  ) throws(ModelError) {
    try IntegerArithmetic.expectActivations(inputs, outputs)
  }

  /// `Q25` with one window for each plane.
  package func integerReference(
    _ inputs: Operands<Tensor>, _ outputs: [TensorType]
  ) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    let from = try IntegerArithmetic.activation(x.type, "operand")
    let to = try IntegerArithmetic.output(outputs)
    guard let shape = outputs[0].shape else {
      throw ModelError(.unknownShape, "the output's shape")
    }
    let values = x.integers()
    let size = x.shape.count(2..<x.shape.rank)
    let result = (0..<shape.count).map { plane in
      let sum = values[plane * size..<(plane + 1) * size].reduce(0) {
        $0 + $1 - Int64(from.zeroPoint)
      }
      return IntegerArithmetic.average(sum, size, from, to)
    }
    return [Tensor(shape, result, quantization: to)]
  }
}
