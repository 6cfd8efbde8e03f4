import ModelIR
import ModelKernels
import TensorCore

// MARK: - Kernel

extension MemoryRead: PlannedOperator {
  package func kernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    let layout = try layout(request)
    guard request.isFloat32, layout.rows > 0, layout.width > 0 else { return nil }
    let hasBias = request.operands.optional(3) != nil
    let (tier, matrices, least) = (request.tier, request.matrices, Double(epsilon))
    let (depth, allSlots) = (layout.heads * layout.width, layout.allSlots)
    let block = min(layout.rows, 64)
    // Directions, and the shares that are read where those are not the address.
    let directionsEnd = alignedByteCount(block * depth * 4)
    let pitch = directionsEnd + (leastShare > 0 ? alignedByteCount(block * allSlots * 4) : 0)
    return PlannedKernel(
      scratchByteCount: pitch * request.threads, multiplyAccumulates: layout.multiplyAccumulates
    ) { (frame) throws(ModelError) in
      frame.pool.run(tasks: (layout.rows + block - 1) / block) { task, worker in
        let first = task * block
        let rows = min(block, layout.rows - first)
        let directions = (frame.scratch + worker * pitch).assumingMemoryBound(to: Float.self)
        let query = frame.input(0, as: Float.self) + first * depth
        let y = frame.output(0, as: Float.self) + first * layout.outputs
        let address = frame.output(1, as: Float.self) + first * allSlots
        for start in stride(from: 0, to: rows * depth, by: layout.width) {
          NormalizeL2.normalize(
            query + start, count: layout.width, least: least, to: directions + start)
        }
        for head in 0..<layout.heads {
          matrices.multiply(
            m: rows, n: layout.slots, k: layout.width, a: directions + head * layout.width,
            aStride: depth, transposeA: false,
            b: frame.input(1, as: Float.self) + head * layout.slots * layout.width,
            bStride: layout.width, transposeB: true, c: address + head * layout.slots,
            cStride: allSlots, accumulate: false)
        }
        tier.softmax(
          rows: rows * layout.heads, columns: layout.slots, address, row: layout.slots,
          to: address, row: layout.slots)
        var read = address
        if leastShare > 0 {
          read = (frame.scratch + worker * pitch + directionsEnd)
            .assumingMemoryBound(to: Float.self)
          for slot in 0..<rows * allSlots {
            read[slot] = address[slot] < leastShare ? 0 : address[slot]
          }
        }
        matrices.multiply(
          m: rows, n: layout.outputs, k: allSlots, a: read, aStride: allSlots,
          transposeA: false, b: frame.input(2, as: Float.self), bStride: layout.outputs,
          transposeB: false, c: y, cStride: layout.outputs, accumulate: false)
        guard hasBias else { return }
        tier.combine(
          .add, rows: rows, columns: layout.outputs, RowOperand(y, row: layout.outputs),
          RowOperand(frame.input(3, as: Float.self), row: 0), to: y, row: layout.outputs)
      }
    }
  }

  func layout(_ request: KernelRequest) throws(ModelError) -> MemoryLayout {
    MemoryLayout(
      self, query: try request.operands.required(0).shape,
      keys: try request.operands.required(1).shape,
      values: try request.operands.required(2).shape)
  }
}
