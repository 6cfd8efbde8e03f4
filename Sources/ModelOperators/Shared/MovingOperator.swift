import ModelIR
import TensorCore

/// An operator that only moves elements of operand 0: integers move as integers, provided that the
/// output is read with the operand's own parameters (`Q26`).
package protocol MovingOperator: IntegerOperator {}

extension MovingOperator {
  package func checkInteger(
    _ inputs: Operands<Fact>, _ outputs: [TensorType]
  ) throws(ModelError) {
    try checkMoved(inputs, outputs)
  }

  /// Requires operand 0 and the outputs to have the same parameters, or none.
  func checkMoved(
    _ inputs: Operands<Fact>, _ outputs: [TensorType]
  ) throws(ModelError) {
    let quantization = try inputs.required(0).type.quantization
    guard quantization?.axis == nil, outputs.allSatisfy({ $0.quantization == quantization }) else {
      throw ModelError(
        .notQuantizable, "\(Self.name) moves integers; it cannot change their scale")
    }
  }

  package func integerReference(
    _ inputs: Operands<Tensor>, _ outputs: [TensorType]
  ) throws(ModelError) -> [Tensor] {
    try reference(inputs).map { $0.reading(as: outputs[0].quantization) }
  }
}
