import CKernels

/// The gradient by the weights of a 3×3 convolution of step 1 over channels-last images, with fewer products than
/// elements of the kernel ask for: sums of the kernels' 16 values, which ``finish(_:_:to:)`` turns into gradients.
package struct SquareGradient: Sendable {
  private let tier: KernelTier
  private let window: KernelWindow
  private let taps: KernelMemory
  private let depth: Int
  private let channels: Int
  /// Elements between neighbouring channels of the image in the sums.
  private let step: Int

  /// Pairs of output lines, which calls share out.
  package let pairs: Int
  /// Of one call.
  package let scratchByteCount: Int
  /// Elements of the sums.
  package var count: Int { 16 * depth * step }

  /// - Parameters:
  ///   - part: the convolution's, its output strides those of the errors.
  ///   - channels: of the errors.
  /// - Returns: nil where other kernels are faster, or the convolution is not 3×3.
  package init?(tier: KernelTier, part: ConvolutionPart, channels: Int) {
    guard FloatConvolution.Way([part], channels: channels, isFree: true) == .winograd else {
      return nil
    }
    self.tier = tier
    self.channels = channels
    window = part.window
    taps = part.window.tapMemory
    depth = part.tapChannels
    let block = Int(CK_CHANNEL_BLOCK)
    step = (channels + block - 1) / block * block
    pairs = window.outputSize.d * ((window.outputSize.h + 1) / 2)
    var nothing: Float = 0
    scratchByteCount = withUnsafeMutablePointer(to: &nothing) { [window, taps, depth] place in
      var call = ck_winograd_gradient_f32(
        window: window.window(taps: taps), input: place, tap_channels: Int32(depth), errors: place,
        channels: channels, sums: place)
      return alignedByteCount(tier.table.winograd_gradient_scratch_f32(&call))
    }
  }

  /// Adds what `range` of the pairs gives to `sums`.
  package func add(
    _ range: Range<Int>, input: UnsafePointer<Float>, errors: UnsafePointer<Float>,
    to sums: UnsafeMutablePointer<Float>, scratch: UnsafeMutableRawPointer
  ) {
    var call = ck_winograd_gradient_f32(
      window: window.window(taps: taps), input: input, tap_channels: Int32(depth), errors: errors,
      channels: channels, sums: sums)
    tier.table.winograd_gradient_f32(&call, range.lowerBound, range.upperBound, scratch)
  }

  /// The gradients [channel][depth][3][3] of the sums of every part, added in order: Gᵀ · sums · G.
  package func finish(
    _ parts: [UnsafeMutablePointer<Float>], to gradients: UnsafeMutablePointer<Float>
  ) {
    guard let sums = parts.first else { return }
    for other in parts.dropFirst() {
      for index in 0..<count { sums[index] += other[index] }
    }
    /// Three of four values.
    func turned(_ a: Float, _ b: Float, _ c: Float, _ d: Float) -> (Float, Float, Float) {
      let (even, odd) = ((b + c) / 2, (b - c) / 2)
      return (a + even, odd, even + d)
    }
    for c in 0..<depth {
      for m in 0..<channels {
        let target = gradients + (m * depth + c) * 9
        func sum(_ i: Int, _ j: Int) -> Float { sums[((4 * i + j) * depth + c) * step + m] }
        func column(_ j: Int) -> (Float, Float, Float) {
          turned(sum(0, j), sum(1, j), sum(2, j), sum(3, j))
        }
        let (a, b, c, d) = (column(0), column(1), column(2), column(3))
        (target[0], target[1], target[2]) = turned(a.0, b.0, c.0, d.0)
        (target[3], target[4], target[5]) = turned(a.1, b.1, c.1, d.1)
        (target[6], target[7], target[8]) = turned(a.2, b.2, c.2, d.2)
      }
    }
  }
}
