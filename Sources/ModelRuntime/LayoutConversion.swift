import ModelKernels
import ModelOperators
import TensorCore

/// Moves elements between row-major (N, C, spatial…) and channels-last (N, spatial…, C).
struct LayoutConversion: Sendable {
  /// Images of the batch; each is converted by itself.
  let images: Int
  private let rows: Int
  private let columns: Int
  private let elementByteCount: Int
  private let target: Layout

  /// The conversion of a tensor of `shape` to `target` from the other layout.
  init(_ shape: Shape, elementByteCount: Int, to target: Layout) {
    images = shape[0]
    let (channels, spatial) = (shape[1], shape.count(2..<shape.rank))
    // Channels-last to row-major is the transposition of a spatial×channels matrix, and back.
    (rows, columns) = target == .channelsLast ? (channels, spatial) : (spatial, channels)
    self.elementByteCount = elementByteCount
    self.target = target
  }

  /// A kernel that converts operand 0.
  func kernel(from source: Layout) -> PlannedKernel {
    PlannedKernel(operandLayouts: [source], outputLayouts: [target]) {
      (frame) throws(ModelError) in
      guard let source = frame.inputs[0] else { return }
      let result = frame.outputs[0]
      frame.pool.run(tasks: images) { convert($0, source, result) }
    }
  }

  /// Converts one image of the batch.
  func convert(_ image: Int, _ source: UnsafeRawPointer, _ target: UnsafeMutableRawPointer) {
    let offset = image * rows * columns * elementByteCount
    let (from, to) = (source + offset, target + offset)
    switch elementByteCount {
    case 1: LayoutConversion.transpose(from, to, rows, columns, UInt8.self)
    case 2: LayoutConversion.transpose(from, to, rows, columns, UInt16.self)
    case 4: LayoutConversion.transpose(from, to, rows, columns, UInt32.self)
    default: LayoutConversion.transpose(from, to, rows, columns, UInt64.self)
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
