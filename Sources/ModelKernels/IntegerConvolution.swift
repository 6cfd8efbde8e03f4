import CKernels
import TensorCore

/// Convolutions, matrix products and the phases of transposed convolutions over int8 images, packed for
/// one tier and split for one number of threads: acc[o][c] = folded[c] + Σ x · w[c], then the epilogue.
package struct IntegerConvolution: Sendable {
  /// Makes the sets of weights, with memory to work in, and hands on what it has made: the number of a set, the first of the channels,
  /// which a block of channels starts with, their weights, and a bias for each.
  package typealias MakeWeights =
    @Sendable (
      ScratchMemory, _ pack: (Int, Int, WeightRows<Int8>, ArraySlice<Int32>) -> Void
    ) throws(ModelError) -> Void

  /// Channels that are packed together.
  package static let channelBlock = Int(CK_CHANNEL_BLOCK)

  private let tier: KernelTier
  private let parts: [ConvolutionPart]
  private let sets: ConvolutionPart.WeightSets
  /// Packed before the first run.
  package let packed: PackedWeights
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
  ///   - channels: output channels of each set of weights.
  ///   - pad: the input's zero point: what positions outside the image read. Its share is folded into the biases (`Q12`).
  package init(
    tier: KernelTier, threads: Int, parts: [ConvolutionPart], channels: [Int], pad: Int8,
    epilogue: KernelEpilogue, weights: @escaping MakeWeights
  ) {
    self.tier = tier
    self.pad = pad
    self.parts = parts
    let table = tier.table
    let sets = ConvolutionPart.WeightSets(parts, channels: channels) { _ in
      table.conv_s8_packed_size
    }
    self.sets = sets
    packed = PackedWeights(byteCount: sets.byteCount) { (target, scratch) throws(ModelError) in
      var left = sets.extents.reduce(0) { $0 + $1.channels }
      try weights(scratch) { index, first, rows, biases in
        let set = sets.extents[index]
        precondition(
          first % IntegerConvolution.channelBlock == 0 && first + rows.channels <= set.channels)
        precondition(biases.count == rows.channels, "a bias for each channel")
        left -= rows.channels
        guard let start = rows.start(of: set.taps * set.run) else { return }
        biases.withUnsafeBufferPointer { biases in
          table.conv_s8_pack(
            start, rows.steps, rows.channels, set.taps, set.run, biases.baseAddress, Int32(pad),
            target + sets.offsets[index]
              + table.conv_s8_packed_size(first, set.taps, set.run))
        }
      }
      precondition(left == 0, "weights of every channel")
    }
    schedule = ConvolutionPart.Schedule(
      parts, channels: channels, threads: threads, scratch: { _ in table.conv_s8_scratch_size })
    self.epilogue = PreparedEpilogue(epilogue)
    outputByteCount = epilogue.outputByteCount
    residualByteCount = epilogue.residualByteCount
    scratchByteCount = schedule.workerByteCount * threads
  }

  /// Computes every part.
  ///
  /// - Parameters:
  ///   - integers: where those of both outputs go, if and only if the epilogue has both.
  ///   - residual: present if and only if the epilogue has one.
  ///   - rowBias: one term for each output position of every part (`Q14`).
  package func run(
    input: UnsafePointer<Int8>, output: UnsafeMutableRawPointer,
    integers: UnsafeMutablePointer<Int8>? = nil, residual: UnsafeRawPointer?,
    rowBias: UnsafePointer<Int32>? = nil, scratch: UnsafeMutableRawPointer, pool: ThreadPool
  ) {
    pool.run(tasks: schedule.tasks.count) { index, worker in
      let task = schedule.tasks[index]
      let part = parts[task.job]
      var call = ck_conv_s8(
        window: part.window.window(taps: schedule.taps[task.job]),
        input: input + part.inputOffset,
        tap_pixels: Int32(part.tapPixels), tap_channels: Int32(part.tapChannels), pad: pad,
        weights: packed.address + sets.offsets[part.weights], row_bias: rowBias,
        output: output + part.outputOffset * outputByteCount,
        residual_stride: part.residualStride.strides,
        epilogue: epilogue.code(
          channel: part.firstChannel,
          residual: residual.map { $0 + part.residualOffset * residualByteCount },
          integers: integers.map { $0 + part.outputOffset }))
      tier.table.conv_s8(
        &call, task.rows.lowerBound, task.rows.upperBound, task.channels.lowerBound,
        task.channels.upperBound, scratch + worker * schedule.workerByteCount)
    }
  }
}
