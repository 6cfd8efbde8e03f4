import ModelIR
import ModelKernels
import TensorCore

/// A normalisation over the last axes, with a scale (operand 1) and perhaps a bias (operand 2) of their
/// whole shape.
struct RowNormalizer {
  let kernel: PlannedKernel

  init?(
    _ normalization: RowNormalization, axis: Int, epsilon: Float, _ request: KernelRequest
  ) throws(ModelError) {
    let x = try request.operands.required(0).shape
    let axis = try Shape.resolve(axis: axis, rank: x.rank)
    let columns = x.count(axis..<x.rank)
    let rows = x.count(0..<axis)
    let scale = try request.operands.required(1).shape
    let bias = request.operands.optional(2)?.shape
    guard columns > 0, scale.count == columns, bias.map({ $0.count == columns }) ?? true else {
      return nil
    }
    let tier = request.tier
    let share = max(1, (1 << 12) / columns)
    let hasBias = bias != nil
    kernel = PlannedKernel(overwritableOperands: [0]) { (frame) throws(ModelError) in
      let (x, y) = (frame.input(0, as: Float.self), frame.output(0, as: Float.self))
      let gamma = RowOperand(frame.input(1, as: Float.self), row: 0)
      let beta = hasBias ? RowOperand(frame.input(2, as: Float.self), row: 0) : nil
      frame.pool.run(tasks: (rows + share - 1) / share) { task in
        let first = task * share
        tier.normalize(
          normalization, rows: min(share, rows - first), columns: columns, x + first * columns,
          row: columns, epsilon: epsilon, gamma: gamma, beta: beta, to: y + first * columns,
          row: columns)
      }
    }
  }
}
