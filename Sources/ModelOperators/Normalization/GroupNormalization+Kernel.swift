import ModelIR
import ModelKernels
import TensorCore

// MARK: - Kernel

extension GroupNormalization: PlannedOperator {
  package func kernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    let x = try request.operands.required(0).shape
    let (channels, plane) = (x[1], x.count(2..<x.rank))
    let inner = channels / groups * plane
    guard request.isFloat32, inner > 0 else { return nil }
    let (tier, epsilon, groups, scalesGroups) = (request.tier, epsilon, groups, scalesGroups)
    let each = channels / groups
    let tasks = x[0] * groups
    return PlannedKernel(overwritableOperands: [0]) { (frame) throws(ModelError) in
      let (x, y) = (frame.input(0, as: Float.self), frame.output(0, as: Float.self))
      let (gamma, beta) = (frame.input(1, as: Float.self), frame.input(2, as: Float.self))
      frame.pool.run(tasks: tasks) { task in
        let start = task * inner
        tier.normalize(
          .layer, rows: 1, columns: inner, x + start, row: inner, epsilon: epsilon, to: y + start,
          row: inner)
        let group = task % groups
        let first = scalesGroups ? group : group * each
        let row = scalesGroups ? 0 : 1
        tier.scaleAndShift(
          rows: each, columns: plane, RowOperand(y + start, row: plane),
          scale: RowOperand(gamma + first, row: row, column: 0),
          shift: RowOperand(beta + first, row: row, column: 0), to: y + start, row: plane)
      }
    }
  }
}
