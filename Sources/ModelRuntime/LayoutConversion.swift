import ModelKernels
import ModelOperators
import TensorCore

/// Moves elements between row-major (N, C, spatial…) and channels-last (N, spatial…, C).
enum LayoutConversion {
  /// A kernel that converts operand 0, of `shape` and `elementByteCount` bytes an element.
  static func kernel(
    _ shape: Shape, elementByteCount: Int, from: Layout, to: Layout
  ) -> PlannedKernel {
    let batch = shape[0]
    let channels = shape[1]
    let spatial = shape.count(2..<shape.rank)
    // Channels-last to row-major is the transposition of a spatial×channels matrix, and back.
    let (rows, columns) = to == .channelsLast ? (channels, spatial) : (spatial, channels)
    return PlannedKernel(operandLayouts: [from], outputLayouts: [to]) {
      (frame) throws(ModelError) in
      guard let source = frame.inputs[0] else { return }
      let target = frame.outputs[0]
      let image = rows * columns * elementByteCount
      frame.pool.run(tasks: batch) { index in
        let (from, to) = (source + index * image, target + index * image)
        switch elementByteCount {
        case 1: transpose(from, to, rows, columns, UInt8.self)
        case 2: transpose(from, to, rows, columns, UInt16.self)
        case 4: transpose(from, to, rows, columns, UInt32.self)
        default: transpose(from, to, rows, columns, UInt64.self)
        }
      }
    }
  }

  private static func transpose<Word>(
    _ source: UnsafeRawPointer, _ target: UnsafeMutableRawPointer, _ rows: Int, _ columns: Int,
    _: Word.Type
  ) {
    let from = source.assumingMemoryBound(to: Word.self)
    let to = target.assumingMemoryBound(to: Word.self)
    let block = 32
    for rowStart in stride(from: 0, to: rows, by: block) {
      let rowEnd = min(rowStart + block, rows)
      for columnStart in stride(from: 0, to: columns, by: block) {
        let columnEnd = min(columnStart + block, columns)
        for column in columnStart..<columnEnd {
          for row in rowStart..<rowEnd { to[column * rows + row] = from[row * columns + column] }
        }
      }
    }
  }
}
