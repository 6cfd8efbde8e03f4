import ModelKernels
import TensorCore

/// Copies the elements of a view to their places in another tensor; elements may be of any size.
struct StridedCopy: Sendable {
  private let loops: ElementLoops
  private let source: Int
  private let target: Int
  private let size: Int
  private let tier: KernelTier

  /// - Parameters:
  ///   - target: offset in the target of the view's first element.
  ///   - strides: elements of the target between neighbours along each axis of the view.
  ///   - order: the view's axes, from the outermost in the target's memory to the innermost.
  ///   - size: bytes of one element.
  init(
    _ view: StridedView, to target: Int, strides: [Int], order: [Int], size: Int, tier: KernelTier
  ) {
    var all: [ElementLoops.Loop] = []
    for axis in order {
      var next = view.axes[axis].reduce(strides[axis]) { $0 * $1.extent }
      for factor in view.axes[axis] {
        next /= max(factor.extent, 1)
        all.append(.init(extent: factor.extent, strides: SIMD4(factor.stride, next, 0, 0)))
      }
    }
    loops = ElementLoops(all)
    source = view.offset
    self.target = target
    self.size = size
    self.tier = tier
  }

  /// A dense target in `layout`.
  init(
    _ view: StridedView, layout: Layout, size: Int, tier: KernelTier
  ) throws(ModelError) {
    let shape = try Shape(view.extents)
    self.init(
      view, to: 0, strides: layout.strides(of: shape), order: layout.axisOrder(rank: shape.rank),
      size: size, tier: tier)
  }

  /// True where the target has the bytes of the source, in the same order.
  var isIdentity: Bool {
    source == 0 && target == 0 && loops.loops.count == 2 && loops.rows.extent == 1
      && (loops.columns.extent == 1 || loops.columns.strides == SIMD4(1, 1, 0, 0))
  }

  /// The shorter of the strides in which the two innermost loops read the source.
  var reach: Int {
    [loops.rows, loops.columns].filter { $0.extent > 1 }.map { abs($0.strides.x) }.min() ?? 0
  }

  func run(from x: UnsafeRawPointer, to y: UnsafeMutableRawPointer, on pool: ThreadPool) {
    let (from, to) = (x + source * size, y + target * size)
    let (row, column) = (loops.rows.strides &* SIMD4(repeating: size), loops.columns.strides)
    loops.run(on: pool) { (offset, rows, columns) in
      let (x, y) = (from + offset.x * size, to + offset.y * size)
      if column == SIMD4(1, 1, 0, 0) {
        KernelTier.copyRows(
          rows: rows, byteCount: columns * size, x, stride: row.x, to: y, stride: row.y)
        return
      }
      let step = (from: loops.rows.strides.x, to: loops.rows.strides.y)
      if step.from == 1 && column.y == 1 {
        tier.transpose(
          elementByteCount: size, rows: columns, columns: rows, x, row: column.x, to: y,
          row: step.to)
        return
      }
      switch size {
      case 1: copy(UInt8.self, x, y, rows, columns, step, (column.x, column.y))
      case 2: copy(UInt16.self, x, y, rows, columns, step, (column.x, column.y))
      case 4: copy(UInt32.self, x, y, rows, columns, step, (column.x, column.y))
      default: copy(UInt64.self, x, y, rows, columns, step, (column.x, column.y))
      }
    }
  }

  /// In squares, so that both sides stay in the cache where one of them is walked across.
  @inline(__always)
  private func copy<E: BitwiseCopyable>(
    _: E.Type, _ source: UnsafeRawPointer, _ target: UnsafeMutableRawPointer, _ rows: Int,
    _ columns: Int, _ row: (from: Int, to: Int), _ column: (from: Int, to: Int)
  ) {
    let x = source.assumingMemoryBound(to: E.self)
    let y = target.assumingMemoryBound(to: E.self)
    let side = 32
    for top in stride(from: 0, to: rows, by: side) {
      for left in stride(from: 0, to: columns, by: side) {
        for i in top..<min(top + side, rows) {
          var p = i * row.from + left * column.from
          var q = i * row.to + left * column.to
          for _ in left..<min(left + side, columns) {
            y[q] = x[p]
            p += column.from
            q += column.to
          }
        }
      }
    }
  }
}
