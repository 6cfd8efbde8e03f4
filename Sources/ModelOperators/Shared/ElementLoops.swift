import ModelKernels
import TensorCore

extension Layout {
  /// Elements between neighbours along each axis of a tensor in this layout.
  func strides(of shape: Shape) -> [Int] {
    var strides = [Int](repeating: 1, count: shape.rank)
    var next = 1
    for axis in axisOrder(rank: shape.rank).reversed() {
      strides[axis] = next
      next *= shape[axis]
    }
    return strides
  }
}

/// Nested loops over elements, outermost first, in which up to four tensors step by strides of their
/// own. Loops that all tensors step through alike are one.
struct ElementLoops: Sendable {
  struct Loop: Sendable {
    var extent: Int
    var strides: SIMD4<Int>
  }

  private(set) var loops: [Loop] = []

  init(_ all: [Loop]) {
    for loop in all where loop.extent != 1 {
      if let last = loops.last, last.strides == loop.strides &* SIMD4(repeating: loop.extent) {
        loops[loops.count - 1] = Loop(extent: last.extent * loop.extent, strides: loop.strides)
      } else {
        loops.append(loop)
      }
    }
    while loops.count < 2 { loops.insert(Loop(extent: 1, strides: .zero), at: 0) }
  }

  var columns: Loop { loops[loops.count - 1] }
  var rows: Loop { loops[loops.count - 2] }
  /// Combinations of the indices of all loops but the last two.
  var blocks: Int { loops.dropLast(2).reduce(1) { $0 * $1.extent } }
  var count: Int { loops.reduce(1) { $0 * $1.extent } }

  /// The tensors' offsets at the start of each block in `range`.
  func forEachBlock(_ range: Range<Int>, _ body: (SIMD4<Int>) -> Void) {
    let outer = loops.count - 2
    var index = [Int](repeating: 0, count: outer)
    var offset = SIMD4<Int>.zero
    var left = range.lowerBound
    for axis in (0..<outer).reversed() {
      index[axis] = left % loops[axis].extent
      left /= loops[axis].extent
      offset &+= loops[axis].strides &* SIMD4(repeating: index[axis])
    }
    for _ in range {
      body(offset)
      var axis = outer - 1
      while axis >= 0 {
        index[axis] += 1
        offset &+= loops[axis].strides
        if index[axis] < loops[axis].extent { break }
        offset &-= loops[axis].strides &* SIMD4(repeating: loops[axis].extent)
        index[axis] = 0
        axis -= 1
      }
    }
  }

  /// Calls `body` with rectangles that cover everything: the tensors' offsets, rows, columns. Large work
  /// is shared among the pool's threads.
  func run(
    on pool: ThreadPool, _ body: (_ offset: SIMD4<Int>, _ rows: Int, _ columns: Int) -> Void
  ) {
    guard count > 0 else { return }
    let (rows, columns) = (rows, columns)
    let pieces = pool.threads == 1 ? 1 : min(4 * pool.threads, max(1, count / 16_384))
    func part(_ piece: Int, of extent: Int) -> Range<Int> {
      extent * piece / pieces..<extent * (piece + 1) / pieces
    }
    if blocks >= pieces {
      pool.run(tasks: pieces) { piece in
        forEachBlock(part(piece, of: blocks)) { body($0, rows.extent, columns.extent) }
      }
    } else if rows.extent >= pieces {
      pool.run(tasks: pieces) { piece in
        let range = part(piece, of: rows.extent)
        let start = rows.strides &* SIMD4(repeating: range.lowerBound)
        forEachBlock(0..<blocks) { body($0 &+ start, range.count, columns.extent) }
      }
    } else {
      pool.run(tasks: pieces) { piece in
        let range = part(piece, of: columns.extent)
        let start = columns.strides &* SIMD4(repeating: range.lowerBound)
        forEachBlock(0..<blocks) { body($0 &+ start, rows.extent, range.count) }
      }
    }
  }
}
