import CKernels

extension FloatConvolution {
  /// How parts that read one set of weights are computed.
  enum Way: Int, Sendable {
    /// A product for each element of the kernel.
    case direct
    /// Fewer products, of sums (`winograd_f32`).
    case winograd
    /// A product for each element too, of rows that stand interleaved (`product_f32`).
    case product

    /// The faster way for `parts`, which read weights of `channels` output channels.
    ///
    /// - Parameter isFree: sums need not be those of `Q29`.
    init(_ parts: [ConvolutionPart], channels: Int, isFree: Bool) {
      // Below these, turning inputs and outputs costs more than products do, or weights more than either.
      let (leastDepth, leastWidth, leastPositions, mostWeights) = (16, 24, 512, 1 << 16)
      let suits = parts.allSatisfy {
        $0.isSquareOfThree && $0.tapChannels >= leastDepth
          && $0.tapChannels * channels <= mostWeights && $0.window.outputSize.w >= leastWidth
          && $0.window.outputSize.product >= leastPositions
      }
      if isFree && suits && channels >= leastDepth {
        self = .winograd
      } else {
        self = Way.isProduct(parts, channels: channels) ? .product : .direct
      }
    }

    /// Whether `parts` are products of matrices whose weights fill panels, of which two stay in cache.
    private static func isProduct(_ parts: [ConvolutionPart], channels: Int) -> Bool {
      let (leastChannels, mostDepth) = (24, 4096)
      return channels >= leastChannels
        && parts.allSatisfy { $0.isMatrixProduct && $0.tapChannels <= mostDepth }
    }

    func packedByteCount(_ table: ck_kernels) -> ck_conv_packed_size_fn {
      self == .winograd ? table.winograd_f32_packed_size : table.conv_f32_packed_size
    }

    func scratchByteCount(_ table: ck_kernels) -> ck_conv_scratch_size_fn {
      switch self {
      case .direct: table.conv_f32_scratch_size
      case .winograd: table.winograd_f32_scratch_size
      case .product: table.product_f32_scratch_size
      }
    }

    func pack(_ table: ck_kernels) -> ck_conv_f32_pack_fn {
      self == .winograd ? table.winograd_f32_pack : table.conv_f32_pack
    }

    func run(_ table: ck_kernels) -> ck_conv_f32_fn {
      switch self {
      case .direct: table.conv_f32
      case .winograd: table.winograd_f32
      case .product: table.product_f32
      }
    }
  }
}
