import ModelIR
import ModelKernels
import TensorCore

// MARK: - Kernel

extension Attention: PlannedOperator {
  package func kernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    guard outputs == 1, request.operands.optional(4) == nil, request.operands.optional(6) == nil
    else { return nil }
    let mask = request.operands.optional(3)
    for index in 0...3 where index < 3 || mask?.fact.element != .bool {
      guard let operand = request.operands.optional(index) else { continue }
      guard operand.fact.element == .float32, operand.fact.type.quantization == nil else {
        return nil
      }
    }
    guard request.outputs[0].quantization == nil,
      let plan = try AttentionKernel(self, request)
    else { return nil }
    return plan.kernel
  }
}

private struct AttentionKernel: Sendable {
  private let op: Attention
  private let query: AttentionHeads
  private let key: AttentionHeads
  private let value: AttentionHeads
  private let result: AttentionHeads
  private let factor: Float
  private let request: KernelRequest
  private let maskStrides: [Int]
  private let maskColumns: Int
  private let isBoolean: Bool

  /// Queries of one task.
  private static let block = 128

  init?(_ op: Attention, _ request: KernelRequest) throws(ModelError) {
    self.op = op
    self.request = request
    query = AttentionHeads(try request.operands.required(0).shape, heads: op.queryHeads)
    key = AttentionHeads(try request.operands.required(1).shape, heads: op.keyHeads)
    value = AttentionHeads(try request.operands.required(2).shape, heads: op.keyHeads)
    guard let shape = request.outputs[0].shape, shape.count > 0, key.length > 0, query.size > 0
    else { return nil }
    result = AttentionHeads(shape, heads: query.heads)
    factor = op.scale ?? Float(1 / Double(query.size).squareRoot())
    let mask = request.operands.optional(3)
    isBoolean = mask?.fact.element == .bool
    if let mask {
      maskColumns = mask.shape.rank == 0 ? 1 : mask.shape[mask.shape.rank - 1]
      let target = try Shape([query.batch, query.heads, query.length, maskColumns])
      guard mask.shape.rank <= 4, try Shape.broadcast(mask.shape, target) == target else {
        return nil
      }
      maskStrides = mask.shape.broadcastStrides(to: target)
    } else {
      maskColumns = 0
      maskStrides = []
    }
  }

  var kernel: PlannedKernel {
    let blocks = (query.length + AttentionKernel.block - 1) / AttentionKernel.block
    let pitch = alignedByteCount(min(AttentionKernel.block, query.length) * key.length * 4)
    let macs = query.batch * query.heads * query.length * key.length * (query.size + value.size)
    return PlannedKernel(
      scratchByteCount: pitch * request.threads, multiplyAccumulates: macs
    ) { (frame) throws(ModelError) in
      frame.pool.run(tasks: query.batch * query.heads * blocks) { task, worker in
        let head = task / blocks
        let first = task % blocks * AttentionKernel.block
        run(
          frame, head / query.heads, head % query.heads,
          first..<min(query.length, first + AttentionKernel.block),
          (frame.scratch + worker * pitch).assumingMemoryBound(to: Float.self))
      }
    }
  }

  private func run(
    _ frame: KernelFrame, _ n: Int, _ head: Int, _ rows: Range<Int>,
    _ scores: UnsafeMutablePointer<Float>
  ) {
    let columns = key.length
    let own = head / (query.heads / key.heads)
    let matrices = request.matrices
    matrices.multiply(
      m: rows.count, n: columns, k: query.size,
      a: frame.input(0, as: Float.self) + query.start(n, head, rows.lowerBound),
      aStride: query.strides.row, transposeA: false,
      b: frame.input(1, as: Float.self) + key.start(n, own, 0), bStride: key.strides.row,
      transposeB: true, c: scores, cStride: columns, accumulate: false)
    let count = rows.count * columns
    if op.softcap > 0 {
      let (inner, outer) = (factor / op.softcap, op.softcap)
      for i in 0..<count { scores[i] *= inner }
      request.tier.apply(.tanh, count: count, scores, to: scores)
      for i in 0..<count { scores[i] *= outer }
    } else {
      for i in 0..<count { scores[i] *= factor }
    }
    if seesAll {
      request.tier.softmax(
        rows: rows.count, columns: columns, scores, row: columns, to: scores, row: columns)
    }
    for (index, row) in rows.enumerated() where !seesAll {
      let line = scores + index * columns
      guard mask(line, frame, n, head, row) else {
        line.update(repeating: 0, count: columns)
        continue
      }
      request.tier.softmax(rows: 1, columns: columns, line, row: columns, to: line, row: columns)
    }
    matrices.multiply(
      m: rows.count, n: value.size, k: columns, a: scores, aStride: columns, transposeA: false,
      b: frame.input(2, as: Float.self) + value.start(n, own, 0), bStride: value.strides.row,
      transposeB: false,
      c: frame.output(0, as: Float.self) + result.start(n, head, rows.lowerBound),
      cStride: result.strides.row, accumulate: false)
  }

  /// Whether every query sees every key.
  private var seesAll: Bool {
    maskStrides.isEmpty && !op.causal && op.leftWindow < 0 && op.rightWindow < 0
  }

  /// Adds the mask to one line of scores; false where nothing is left to attend to.
  private func mask(
    _ line: UnsafeMutablePointer<Float>, _ frame: KernelFrame, _ n: Int, _ head: Int, _ row: Int
  ) -> Bool {
    let columns = key.length
    var isOpen = false
    var start = 0
    if !maskStrides.isEmpty {
      start = n * maskStrides[0] + head * maskStrides[1] + row * maskStrides[2]
    }
    for column in 0..<columns {
      var bias: Float = op.isVisible(row, column, nil) ? 0 : -.infinity
      if !maskStrides.isEmpty {
        if column >= maskColumns {
          bias = -.infinity
        } else if isBoolean {
          let place = start + column * maskStrides[3]
          if frame.input(3, as: UInt8.self)[place] == 0 { bias = -.infinity }
        } else {
          bias += frame.input(3, as: Float.self)[start + column * maskStrides[3]]
        }
      }
      if bias != -.infinity { isOpen = true }
      line[column] += bias
    }
    return isOpen
  }
}
