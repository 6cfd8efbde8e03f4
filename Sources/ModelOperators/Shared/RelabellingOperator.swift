import ModelIR
import TensorCore

/// A moving operator that only gives operand 0 another shape: nothing runs.
package protocol RelabellingOperator: MovingOperator, PlannedOperator {}

extension RelabellingOperator {
  /// Operand 0 under the shape that inference gives.
  func reshaped(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    guard let shape = try infer(inputs.facts)[0].shape else {
      throw ModelError(.unknownShape, "the shape of the result")
    }
    return [try inputs.required(0).reshaped(to: shape)]
  }

  package func kernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    .alias(of: 0)
  }
}
