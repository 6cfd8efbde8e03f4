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
  private let tier: KernelTier

  /// The conversion of a tensor of `shape` to `target` from the other layout.
  init(_ shape: Shape, elementByteCount: Int, to target: Layout, tier: KernelTier) {
    images = shape[0]
    let (channels, spatial) = (shape[1], shape.count(2..<shape.rank))
    // Channels-last to row-major is the transposition of a spatial×channels matrix, and back.
    (rows, columns) = target == .channelsLast ? (channels, spatial) : (spatial, channels)
    self.elementByteCount = elementByteCount
    self.target = target
    self.tier = tier
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
    tier.transpose(
      elementByteCount: elementByteCount, rows: rows, columns: columns, source + offset,
      row: columns, to: target + offset, row: rows)
  }
}
