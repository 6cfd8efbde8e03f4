import ModelIR
import ModelKernels
import TensorCore

extension Concat: IntegerPlannedOperator {
  /// Channels-last where an operand already is or a reader wants it.
  package func integerKernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    let operands = try request.operands.all()
    let shape = try request.outputShape()
    let to = try IntegerArithmetic.output(request.outputs)
    let axis = try Shape.resolve(axis: axis, rank: shape.rank)
    let layout: Layout =
      shape.rank >= 3
        && (request.preferredLayout == .channelsLast
          || operands.contains { $0.layout == .channelsLast })
      ? .channelsLast : .rowMajor
    let order = layout.axisOrder(rank: shape.rank)
    guard let place = order.firstIndex(of: axis) else { return nil }
    let outer = order.prefix(place).reduce(1) { $0 * shape[$1] }
    var runs: [Run] = []
    var start = 0
    for operand in operands {
      let from = try IntegerArithmetic.activation(operand.fact.type, "operand")
      let count = order.suffix(from: place).reduce(1) { $0 * operand.shape[$1] }
      runs.append(Run(start: start, count: count, from: from, isSame: from == to))
      start += count
    }
    let pitch = start
    let tier = request.tier
    let clamp = IntegerArithmetic.clamp(to)
    return PlannedKernel(
      operandLayouts: [Layout](repeating: layout, count: operands.count), outputLayouts: [layout]
    ) { [runs] (frame) throws(ModelError) in
      for (index, run) in runs.enumerated() where run.count > 0 {
        let (x, y) = (frame.input(index, as: Int8.self), frame.output(0, as: Int8.self) + run.start)
        frame.pool.share(outer, least: max(1, ThreadPool.elementwiseLeast / run.count)) { part in
          let (from, target) = (x + part.lowerBound * run.count, y + part.lowerBound * pitch)
          if run.isSame {
            KernelTier.copyRows(
              rows: part.count, byteCount: run.count, from, stride: run.count, to: target,
              stride: pitch)
          } else {
            tier.requantize(
              rows: part.count, columns: run.count, from, row: run.count,
              zeroPoint: run.from.zeroPoint, multiplier: run.from.scale / to.scale, to: target,
              row: pitch, clamp: clamp)
          }
        }
      }
    }
  }

  /// One operand's elements in each row of the output.
  private struct Run: Sendable {
    let start: Int
    let count: Int
    let from: QuantizationParameters
    let isSame: Bool
  }
}

extension Layout {
  /// The axes of a tensor from the outermost to the innermost in memory.
  func axisOrder(rank: Int) -> [Int] {
    guard self == .channelsLast, rank >= 3 else { return Array(0..<rank) }
    return [0] + Array(2..<rank) + [1]
  }
}
