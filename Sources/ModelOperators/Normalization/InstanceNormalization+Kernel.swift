import ModelIR
import ModelKernels
import TensorCore

// MARK: - Kernel

extension InstanceNormalization: PlannedOperator {
  package func kernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    let x = try request.operands.required(0).shape
    let (channels, inner) = (x[1], x.count(2..<x.rank))
    guard request.isFloat32, inner > 0 else { return nil }
    let (tier, epsilon) = (request.tier, epsilon)
    let planes = x.count(0..<2)
    return PlannedKernel(overwritableOperands: [0]) { (frame) throws(ModelError) in
      let (x, y) = (frame.input(0, as: Float.self), frame.output(0, as: Float.self))
      let (gamma, beta) = (frame.input(1, as: Float.self), frame.input(2, as: Float.self))
      frame.pool.run(tasks: planes) { plane in
        let c = plane % channels
        tier.normalize(
          .layer, rows: 1, columns: inner, x + plane * inner, row: inner, epsilon: epsilon,
          gamma: RowOperand(gamma + c, row: 0, column: 0),
          beta: RowOperand(beta + c, row: 0, column: 0), to: y + plane * inner, row: inner)
      }
    }
  }
}
