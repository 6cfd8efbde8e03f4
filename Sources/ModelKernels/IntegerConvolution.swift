import CKernels
import TensorCore

/// Convolutions, matrix products and the phases of transposed convolutions over int8 images, packed for
/// one tier and split for one number of threads: acc[o][c] = folded[c] + Σ x · w[c], then the epilogue.
package struct IntegerConvolution: Sendable {
  /// Weights of one set of output channels: [channels][taps, pixels and channels as the parts read them], and their
  /// folded biases (`Q12`).
  package struct Weights: Sendable {
    package let values: [Int8]
    package let folded: [Int32]

    package init(_ values: [Int8], folded: [Int32]) {
      self.values = values
      self.folded = folded
    }

    /// - Parameter biases: one for each row of weights, into which the zero point's share is folded.
    package init(_ values: [Int8], biases: ArraySlice<Int32>, zeroPoint: Int32) {
      let k = values.count / max(biases.count, 1)
      let folded = values.withUnsafeBufferPointer { values in
        biases.enumerated().map { row, bias in
          var sum: Int32 = 0
          for weight in UnsafeBufferPointer(rebasing: values[row * k..<(row + 1) * k]) {
            sum &+= Int32(weight)
          }
          return bias &- zeroPoint &* sum
        }
      }
      self.init(values, folded: folded)
    }
  }

  /// Makes the sets of weights, with memory to work in, and hands on what it has made: the number of a set, the first of the channels,
  /// which a block of channels starts with, and their weights.
  package typealias MakeWeights =
    @Sendable (ScratchMemory, _ pack: (Int, Int, Weights) -> Void) throws(ModelError) -> Void

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
  ///   - pad: what positions outside the image read: the input's zero point.
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
      try weights(scratch) { index, first, given in
        let set = sets.extents[index]
        let channels = given.folded.count
        precondition(
          first % IntegerConvolution.channelBlock == 0 && first + channels <= set.channels)
        precondition(given.values.count == channels * set.taps * set.run, "weights of the taps")
        left -= channels
        given.values.withUnsafeBufferPointer { values in
          guard let start = values.baseAddress else { return }
          table.conv_s8_pack(
            start, channels, set.taps, set.run, given.folded,
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
