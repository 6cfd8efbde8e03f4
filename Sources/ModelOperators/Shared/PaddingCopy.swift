import TensorCore

/// Copies rows whose elements come from given positions along each axis, or from a filler.
struct PaddingCopy: Sendable {
  /// Neighbouring elements of a row: copied from `source` on, or filled where that is −1.
  private struct Run: Sendable {
    var source: Int
    let target: Int
    var count: Int
  }

  private let layout: Layout
  /// The position of each index along the outer axes, as an offset in elements; −1 for the filler.
  private let outer: [[Int]]
  private let runs: [Run]
  private let columns: Int
  private let filler: Tensor

  /// - Parameter maps: the source position of every index along each axis of the target, −1 for the
  ///   filler.
  init(maps: [[Int]], from source: Shape, to target: Shape, layout: Layout, filler: Tensor) {
    self.layout = layout
    self.filler = filler
    let strides = layout.strides(of: source)
    var axes = layout.axisOrder(rank: target.rank)
    let inner = axes.popLast()
    outer = axes.map { axis in maps[axis].map { $0 < 0 ? -1 : $0 * strides[axis] } }
    let row = inner.map { maps[$0] } ?? [0]
    columns = row.count
    var runs: [Run] = []
    for (target, source) in row.enumerated() {
      let continues = runs.last.map {
        source < 0 ? $0.source < 0 : $0.source >= 0 && $0.source + $0.count == source
      }
      if continues == true {
        runs[runs.count - 1].count += 1
      } else {
        runs.append(Run(source: source, target: target, count: 1))
      }
    }
    self.runs = runs
  }

  var kernel: PlannedKernel {
    PlannedKernel(operandLayouts: [layout], outputLayouts: [layout]) {
      (frame) throws(ModelError) in
      guard let source = frame.inputs[0] else { return }
      switch filler.element.byteCount {
      case 1: copy(UInt8.self, source, frame.outputs[0])
      case 2: copy(UInt16.self, source, frame.outputs[0])
      case 4: copy(UInt32.self, source, frame.outputs[0])
      default: copy(UInt64.self, source, frame.outputs[0])
      }
    }
  }

  private func copy<E: BitwiseCopyable>(
    _: E.Type, _ source: UnsafeRawPointer, _ target: UnsafeMutableRawPointer
  ) {
    let value = filler.bytes.loadUnaligned(as: E.self)
    let x = source.assumingMemoryBound(to: E.self)
    var y = target.assumingMemoryBound(to: E.self)
    let rows = outer.reduce(1) { $0 * $1.count }
    var index = [Int](repeating: 0, count: outer.count)
    for _ in 0..<rows {
      var start = 0
      for axis in outer.indices where start >= 0 {
        let offset = outer[axis][index[axis]]
        start = offset < 0 ? -1 : start + offset
      }
      if start < 0 {
        y.update(repeating: value, count: columns)
      } else {
        for run in runs {
          if run.source < 0 {
            (y + run.target).update(repeating: value, count: run.count)
          } else {
            (y + run.target).update(from: x + start + run.source, count: run.count)
          }
        }
      }
      y += columns
      var axis = outer.count - 1
      while axis >= 0 {
        index[axis] += 1
        if index[axis] < outer[axis].count { break }
        index[axis] = 0
        axis -= 1
      }
    }
  }
}
