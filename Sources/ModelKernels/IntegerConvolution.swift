import CKernels

/// Int8 weights as a convolution wants them: [channels][k], or any strided view of it.
package struct KernelWeights: Sendable {
  package let values: [Int8]
  package let channelStride: Int
  package let kStride: Int
  package let channels: Int
  package let k: Int

  /// - Parameter values: element (c, i) is at `c * channelStride + i * kStride`.
  package init(
    _ values: [Int8], channels: Int, k: Int, channelStride: Int? = nil, kStride: Int = 1
  ) {
    self.values = values
    self.channels = channels
    self.k = k
    self.channelStride = channelStride ?? k
    self.kStride = kStride
  }
}

/// Convolutions, matrix products and the phases of transposed convolutions over int8 images, packed for
/// one tier and split for one number of threads: acc[o][c] = folded[c] + Σ x · w[c], then the epilogue.
package struct IntegerConvolution: Sendable {
  private let tier: KernelTier
  private let parts: [ConvolutionPart]
  private let packed: [KernelMemory]
  private let schedule: ConvolutionPart.Schedule
  private let epilogue: PreparedEpilogue
  private let outputByteCount: Int
  private let residualByteCount: Int
  private let pad: Int8
  /// Scratch that ``run(input:output:residual:rowBias:scratch:pool:)`` needs, aligned for kernels.
  package let scratchByteCount: Int
  /// Multiply-accumulates of one run.
  package var multiplyAccumulates: Int { schedule.multiplyAccumulates }

  /// - Parameters:
  ///   - weights: packed once each, with their folded biases (`Q12`).
  ///   - pad: what positions outside the image read: the input's zero point.
  package init(
    tier: KernelTier, threads: Int, parts: [ConvolutionPart],
    weights: [(KernelWeights, folded: [Int32])], pad: Int8, epilogue: KernelEpilogue
  ) {
    self.tier = tier
    self.pad = pad
    self.parts = parts
    let table = tier.table
    packed = weights.enumerated().map { index, given in
      let (weights, folded) = given
      precondition(folded.count == weights.channels, "a bias for each channel")
      let reader = parts.first { $0.weights == index }
      let taps = reader?.window.taps.count ?? 1
      let run = reader?.tapElements ?? weights.k
      precondition(weights.k == taps * run, "weights of the taps")
      return KernelMemory(byteCount: table.conv_s8_packed_size(weights.channels, taps, run)) {
        target in
        weights.values.withUnsafeBufferPointer { values in
          guard let start = values.baseAddress else { return }
          table.conv_s8_pack(
            start, weights.channelStride, weights.kStride, weights.channels, taps, run, folded,
            target)
        }
      }
    }
    schedule = ConvolutionPart.Schedule(
      parts, channels: weights.map { $0.0.channels }, threads: threads,
      scratch: table.conv_s8_scratch_size)
    self.epilogue = PreparedEpilogue(epilogue)
    outputByteCount = epilogue.outputByteCount
    residualByteCount = epilogue.residualByteCount
    scratchByteCount = schedule.workerByteCount * threads
  }

  /// Computes every part.
  ///
  /// - Parameters:
  ///   - residual: present if and only if the epilogue has one.
  ///   - rowBias: one term for each output position of every part (`Q14`).
  package func run(
    input: UnsafePointer<Int8>, output: UnsafeMutableRawPointer, residual: UnsafeRawPointer?,
    rowBias: UnsafePointer<Int32>? = nil, scratch: UnsafeMutableRawPointer, pool: ThreadPool
  ) {
    pool.run(tasks: schedule.tasks.count) { index, worker in
      let task = schedule.tasks[index]
      let part = parts[task.job]
      var call = ck_conv_s8(
        window: part.window.window(taps: schedule.taps[task.job]),
        input: input + part.inputOffset,
        tap_pixels: Int32(part.tapPixels), tap_channels: Int32(part.tapChannels), pad: pad,
        weights: UnsafeRawPointer(packed[part.weights].address), row_bias: rowBias,
        output: output + part.outputOffset * outputByteCount,
        residual_stride: part.residualStride.strides,
        epilogue: epilogue.code(
          channel: part.firstChannel,
          residual: residual.map { $0 + part.residualOffset * residualByteCount }))
      tier.table.conv_s8(
        &call, task.rows.lowerBound, task.rows.upperBound, task.channels.lowerBound,
        task.channels.upperBound, scratch + worker * schedule.workerByteCount)
    }
  }
}
