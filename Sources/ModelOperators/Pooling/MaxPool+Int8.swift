import ModelIR
import TensorCore

/// `Q24`: the greatest integer stands for the greatest number, with the operand's own parameters. A
/// window that lies in the padding alone gives −128.
extension MaxPool: MovingOperator {
  package func checkInteger(
    _ inputs: Operands<Fact>, _ outputs: [TensorType]
  ) throws(ModelError) {
    let parameters = try IntegerArithmetic.activation(try inputs.required(0).type, "operand")
    guard outputs.count == 1, outputs[0].quantization == parameters else {
      throw ModelError(.notQuantizable, "Q24: the output keeps the operand's parameters")
    }
  }
}
