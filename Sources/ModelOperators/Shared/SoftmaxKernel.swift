import ModelIR
import ModelKernels
import TensorCore

/// Softmax, or its logarithm, along any axis of a float32 tensor.
enum SoftmaxKernel {
  static func kernel(
    _ request: KernelRequest, axis: Int, logarithm: Bool
  ) throws(ModelError) -> PlannedKernel? {
    let shape = try request.operands.required(0).shape
    guard request.isFloat32, shape.rank > 0, shape.count > 0 else { return nil }
    let axis = try Shape.resolve(axis: axis, rank: shape.rank)
    let (outer, extent) = (shape.count(0..<axis), shape[axis])
    let inner = shape.count(axis + 1..<shape.rank)
    let tier = request.tier
    if inner == 1 {
      let share = max(1, (1 << 11) / extent)
      return PlannedKernel(overwritableOperands: [0]) { (frame) throws(ModelError) in
        let (x, y) = (frame.input(0, as: Float.self), frame.output(0, as: Float.self))
        frame.pool.run(tasks: (outer + share - 1) / share) { task in
          let first = task * share
          tier.softmax(
            rows: min(share, outer - first), columns: extent, x + first * extent, row: extent,
            to: y + first * extent, row: extent, logarithm: logarithm)
        }
      }
    }
    // Lines that are not contiguous are turned into rows and back.
    let plane = extent * inner
    let pitch = alignedByteCount(plane * 4)
    return PlannedKernel(scratchByteCount: pitch * request.threads) {
      (frame) throws(ModelError) in
      let (x, y) = (frame.input(0, as: Float.self), frame.output(0, as: Float.self))
      frame.pool.run(tasks: outer) { task, worker in
        let rows = (frame.scratch + worker * pitch).assumingMemoryBound(to: Float.self)
        tier.transpose(
          rows: extent, columns: inner, x + task * plane, row: inner, to: rows, row: extent)
        tier.softmax(
          rows: inner, columns: extent, rows, row: extent, to: rows, row: extent,
          logarithm: logarithm)
        tier.transpose(
          rows: inner, columns: extent, rows, row: extent, to: y + task * plane, row: inner)
      }
    }
  }
}
