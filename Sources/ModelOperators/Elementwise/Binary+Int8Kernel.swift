import ModelIR
import ModelKernels
import TensorCore

extension Add: IntegerPlannedOperator {
  package func integerKernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    try binaryKernel(request)
  }
}

extension Sub: IntegerPlannedOperator {
  package func integerKernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    try binaryKernel(request)
  }
}

extension Mul: IntegerPlannedOperator {
  package func integerKernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    try binaryKernel(request)
  }
}

/// Two operands broadcast to one shape, as loops over memory in the output's layout: neighbouring axes
/// that both operands step through alike are one.
private struct BroadcastLoops: Sendable {
  /// Extents from the outermost to the innermost; the last two are the kernel's rows and columns.
  private(set) var extents: [Int] = []
  private(set) var a: [Int] = []
  private(set) var b: [Int] = []

  init(_ shape: Shape, _ order: [Int], a aStrides: [Int], b bStrides: [Int]) {
    for axis in order where shape[axis] != 1 {
      let (extent, p, q) = (shape[axis], aStrides[axis], bStrides[axis])
      if let last = extents.indices.last, a[last] == p * extent, b[last] == q * extent {
        extents[last] *= extent
        a[last] = p
        b[last] = q
      } else {
        extents.append(extent)
        a.append(p)
        b.append(q)
      }
    }
    while extents.count < 2 {
      extents.insert(1, at: 0)
      a.insert(0, at: 0)
      b.insert(0, at: 0)
    }
  }

  var columns: Int { extents[extents.count - 1] }
  var rows: Int { extents[extents.count - 2] }
  var aRow: Int { a[a.count - 2] }
  var bRow: Int { b[b.count - 2] }
  var aColumn: Int { a[a.count - 1] }
  var bColumn: Int { b[b.count - 1] }
  /// Kernel calls: one for each combination of the outer indices.
  var blocks: Int { extents.dropLast(2).reduce(1, *) }
  /// A kernel steps through a row by one element or not at all.
  var isRunnable: Bool { aColumn <= 1 && bColumn <= 1 }

  /// The first elements of the operands in block `index`.
  func starts(_ index: Int) -> (a: Int, b: Int) {
    var (left, p, q) = (index, 0, 0)
    for axis in extents.indices.dropLast(2).reversed() {
      let position = left % extents[axis]
      left /= extents[axis]
      p += position * a[axis]
      q += position * b[axis]
    }
    return (p, q)
  }
}

extension IntegerBinaryOperator {
  fileprivate func binaryKernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    let (a, b) = (try request.operands.required(0), try request.operands.required(1))
    let shape = try request.outputShape()
    let (p, q) = (
      try IntegerArithmetic.activation(a.fact.type, "operand"),
      try IntegerArithmetic.activation(b.fact.type, "operand")
    )
    let to = try IntegerArithmetic.output(request.outputs)
    let whole = [a, b].filter { $0.shape == shape }
    let layout: Layout =
      shape.rank >= 3 && !whole.isEmpty
        && (request.preferredLayout == .channelsLast
          || whole.allSatisfy { $0.layout == .channelsLast })
      ? .channelsLast : .rowMajor
    let (aLayout, aStrides) = Self.strides(a.shape, to: shape, layout)
    let (bLayout, bStrides) = Self.strides(b.shape, to: shape, layout)
    let loops = BroadcastLoops(
      shape, layout.axisOrder(rank: shape.rank), a: aStrides, b: bStrides)
    guard loops.isRunnable else { return nil }
    let tier = request.tier
    let clamp = IntegerArithmetic.clamp(to)
    let form = Self.integerForm
    let overwritable = [a, b].indices.filter { [a, b][$0].shape == shape }
    return PlannedKernel(
      operandLayouts: [aLayout, bLayout], outputLayouts: [layout],
      overwritableOperands: overwritable
    ) { (frame) throws(ModelError) in
      let (x, z) = (frame.input(0, as: Int8.self), frame.input(1, as: Int8.self))
      let y = frame.output(0, as: Int8.self)
      // Rows are shared out; a single row is shared out by its columns.
      let byColumns = loops.rows == 1
      for block in 0..<loops.blocks {
        let start = loops.starts(block)
        let target = y + block * loops.rows * loops.columns
        frame.pool.share(
          byColumns ? loops.columns : loops.rows,
          least: byColumns
            ? ThreadPool.elementwiseLeast : max(1, ThreadPool.elementwiseLeast / loops.columns)
        ) { part in
          let (row, column) = byColumns ? (0, part.lowerBound) : (part.lowerBound, 0)
          let left = IntegerRowOperand(
            x + start.a + row * loops.aRow + column * loops.aColumn, row: loops.aRow,
            column: loops.aColumn, zeroPoint: p.zeroPoint)
          let right = IntegerRowOperand(
            z + start.b + row * loops.bRow + column * loops.bColumn, row: loops.bRow,
            column: loops.bColumn, zeroPoint: q.zeroPoint)
          let (rows, columns) = byColumns ? (1, part.count) : (part.count, loops.columns)
          let out = target + row * loops.columns + column
          switch form {
          case .sum, .difference:
            let sign: Float = form == .sum ? 1 : -1
            tier.add(
              rows: rows, columns: columns, left, multiplier: p.scale / to.scale, right,
              multiplier: sign * (q.scale / to.scale), to: out, row: loops.columns, clamp: clamp)
          case .product:
            tier.multiply(
              rows: rows, columns: columns, left, right,
              multiplier: (p.scale * q.scale) / to.scale, to: out, row: loops.columns, clamp: clamp)
          }
        }
      }
    }
  }

  /// The layout in which an operand is read, and its strides along the output's axes. Only operands of
  /// the output's rank follow its layout; smaller ones stay row-major.
  private static func strides(
    _ own: Shape, to shape: Shape, _ layout: Layout
  ) -> (Layout, [Int]) {
    guard layout == .channelsLast, own.rank == shape.rank else {
      return (.rowMajor, own.broadcastStrides(to: shape))
    }
    var strides = [Int](repeating: 0, count: own.rank)
    var next = 1
    for axis in layout.axisOrder(rank: own.rank).reversed() {
      strides[axis] = own[axis] == 1 ? 0 : next
      next *= own[axis]
    }
    return (layout, strides)
  }
}
