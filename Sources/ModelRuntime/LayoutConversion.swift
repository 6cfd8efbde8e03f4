import ModelKernels
import ModelOperators
import TensorCore

/// Moves elements between row-major (N, C, spatial…) and channels-last (N, spatial…, C).
struct LayoutConversion: Sendable {
  /// Images of the batch; each is converted by itself.
  let images: Int
  private let channels: Int
  /// Of one image.
  private let positions: Int
  private let elementByteCount: Int
  private let target: Layout
  private let tier: KernelTier

  /// The conversion of a tensor of `shape` to `target` from the other layout.
  init(_ shape: Shape, elementByteCount: Int, to target: Layout, tier: KernelTier) {
    images = shape[0]
    (channels, positions) = (shape[1], shape.count(2..<shape.rank))
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
      frame.pool.share(images: images, positions: positions, channels: channels) {
        convert($0, positions: $1, source, result)
      }
    }
  }

  /// Converts one image of the batch.
  func convert(_ image: Int, _ source: UnsafeRawPointer, _ target: UnsafeMutableRawPointer) {
    convert(image, positions: 0..<positions, source, target)
  }

  private func convert(
    _ image: Int, positions part: Range<Int>, _ source: UnsafeRawPointer,
    _ target: UnsafeMutableRawPointer
  ) {
    let start = image * channels * positions * elementByteCount
    let planar = start + part.lowerBound * elementByteCount
    let interleaved = start + part.lowerBound * channels * elementByteCount
    if self.target == .channelsLast {
      tier.transpose(
        elementByteCount: elementByteCount, rows: channels, columns: part.count, source + planar,
        row: positions, to: target + interleaved, row: channels)
    } else {
      tier.transpose(
        elementByteCount: elementByteCount, rows: part.count, columns: channels,
        source + interleaved, row: channels, to: target + planar, row: positions)
    }
  }
}
