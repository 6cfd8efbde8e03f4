import ModelIR
import ModelKernels
import TensorCore

// MARK: - Kernel

extension BatchNormalization: PlannedOperator {
  package func kernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    let x = try request.operands.required(0).shape
    guard request.isFloat32, !training, x.rank >= 2,
      let scale = request.operands.optional(1)?.fact.constant?.doubles(),
      let bias = request.operands.optional(2)?.fact.constant?.doubles(),
      let mean = request.operands.optional(3)?.fact.constant?.doubles(),
      let variance = request.operands.optional(4)?.fact.constant?.doubles()
    else { return nil }
    let factors = scale.indices.map { scale[$0] / (variance[$0] + Double(epsilon)).squareRoot() }
    let shifts = scale.indices.map { Float(bias[$0] - mean[$0] * factors[$0]) }
    return KernelTier.channelwise(
      factors.map { Float($0) }, shifts, x, request.tier)
  }
}

extension KernelTier {
  /// y = x · factor + shift, one of each for a channel (axis 1).
  static func channelwise(
    _ factors: [Float], _ shifts: [Float], _ shape: Shape, _ tier: KernelTier
  ) -> PlannedKernel {
    let (factors, shifts) = (KernelMemory(factors), KernelMemory(shifts))
    let channels = shape[1]
    let inner = shape.count(2..<shape.rank)
    let (rows, columns) = inner == 1 ? (shape[0], channels) : (channels, inner)
    let images = inner == 1 ? 1 : shape[0]
    let (row, column) = inner == 1 ? (0, 1) : (1, 0)
    let share = max(1, (1 << 14) / max(1, columns))
    let shares = (rows + share - 1) / share
    return PlannedKernel(overwritableOperands: [0]) { (frame) throws(ModelError) in
      let (x, y) = (frame.input(0, as: Float.self), frame.output(0, as: Float.self))
      frame.pool.run(tasks: images * shares) { task in
        let first = task % shares * share
        let start = (task / shares * rows + first) * columns
        tier.scaleAndShift(
          rows: min(share, rows - first), columns: columns, RowOperand(x + start, row: columns),
          scale: RowOperand(
            factors.elements(of: Float.self) + first * row, row: row, column: column),
          shift: RowOperand(
            shifts.elements(of: Float.self) + first * row, row: row, column: column),
          to: y + start, row: columns)
      }
    }
  }
}
