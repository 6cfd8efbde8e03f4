import CKernels
import TensorCore

/// Convolutions, matrix products and the phases of transposed convolutions over int8 images, packed for
/// one tier and split for one number of threads: acc[o][c] = bias[c] + Σ (x − pad) · w[c], then the epilogue. Packed weights
/// are of the weights alone, so that layers share them that differ in the rest.
package struct IntegerConvolution: Sendable {
  /// Channels that are packed together.
  package static let channelBlock = Int(CK_CHANNEL_BLOCK)

  /// Weights that a core's own cache holds besides all else.
  private static let warmByteCount = 1 << 20

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
  private let biases: KernelMemory?
  private let isWarm: Bool
  /// Scratch that ``run(parts:_:with:scratch:pool:)`` needs, aligned for kernels.
  package let scratchByteCount: Int
  /// Multiply-accumulates of one run.
  package var multiplyAccumulates: Int { schedule.multiplyAccumulates }

  /// - Parameters:
  ///   - channels: output channels of each set of weights.
  ///   - pad: the input's zero point: what positions outside the image read (`Q12`).
  ///   - biases: one for each of the epilogue's channels; nil for zeros.
  ///   - origin: of the weights.
  ///   - isRepeated: each part runs again and again before another does.
  package init(
    tier: KernelTier, threads: Int, parts: [ConvolutionPart], channels: [Int], pad: Int8,
    biases: [Int32]?, epilogue: KernelEpilogue, origin: WeightOrigin? = nil,
    isRepeated: Bool = false,
    weights: @escaping MakeWeights<Int8>
  ) {
    self.tier = tier
    self.pad = pad
    self.biases = biases.map { biases in
      precondition(biases.count == epilogue.multipliers.count, "a bias for each channel")
      return KernelMemory(biases)
    }
    self.parts = parts
    let table = tier.table
    let sets = ConvolutionPart.WeightSets(parts, channels: channels) { _ in
      table.conv_s8_packed_size
    }
    self.sets = sets
    isWarm =
      isRepeated
      && sets.extents.allSatisfy {
        $0.channels * $0.taps * $0.run <= IntegerConvolution.warmByteCount
      }
    packed = PackedWeights(
      byteCount: sets.byteCount,
      identity: origin.map { PackedWeights.Identity(origin: $0, order: sets.order) }
    ) { (target, scratch) throws(ModelError) in
      var left = sets.extents.reduce(0) { $0 + $1.channels }
      try weights(scratch) { index, first, rows in
        let set = sets.extents[index]
        precondition(
          first % IntegerConvolution.channelBlock == 0 && first + rows.channels <= set.channels)
        left -= rows.channels
        guard let start = rows.start(of: set.taps * set.run) else { return }
        table.conv_s8_pack(
          start, rows.steps, rows.channels, set.taps, set.run,
          target + sets.offsets[index] + table.conv_s8_packed_size(first, set.taps, set.run))
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

  /// What one run reads and writes.
  package struct Buffers {
    let input: UnsafePointer<Int8>
    package let output: UnsafeMutableRawPointer
    let integers: UnsafeMutablePointer<Int8>?
    package var residual: UnsafeRawPointer?
    let rowBias: UnsafePointer<Int32>?

    /// - Parameters:
    ///   - integers: where those of both outputs go, if and only if the epilogue has both.
    ///   - residual: present if and only if the epilogue has one.
    ///   - rowBias: one term for each output position of every part (`Q14`).
    package init(
      input: UnsafePointer<Int8>, output: UnsafeMutableRawPointer,
      integers: UnsafeMutablePointer<Int8>? = nil, residual: UnsafeRawPointer? = nil,
      rowBias: UnsafePointer<Int32>? = nil
    ) {
      self.input = input
      self.output = output
      self.integers = integers
      self.residual = residual
      self.rowBias = rowBias
    }
  }

  /// Whether ``run(parts:_:with:scratch:pool:)`` can take the other one as well.
  package func canRun(with other: IntegerConvolution) -> Bool {
    packed.isSame(as: other.packed) && schedule.tasks.count == other.schedule.tasks.count
      && parts.elementsEqual(other.parts) { own, its in
        var window = its.window
        window.outputStride = own.window.outputStride
        return window == own.window && its.inputOffset == own.inputOffset
          && its.tapPixels == own.tapPixels && its.tapChannels == own.tapChannels
          && its.weights == own.weights
      }
  }

  /// Computes every part, or those of `range`.
  ///
  /// - Parameters:
  ///   - second: another one that it can run with, whose residual may be the output: both are computed while weights are in cache.
  ///   - scratch: twice as much with a second one.
  package func run(
    parts range: Range<Int>? = nil, _ buffers: Buffers,
    with second: (convolution: IntegerConvolution, buffers: Buffers)? = nil,
    scratch: UnsafeMutableRawPointer, pool: ThreadPool
  ) {
    let tasks = schedule.tasks(of: range)
    let workerByteCount = schedule.workerByteCount * (second == nil ? 1 : 2)
    pool.run(tasks: tasks.count) { index, worker in
      let task = tasks[tasks.startIndex + index]
      let memory = scratch + worker * workerByteCount
      guard let second else { return compute(task, call(of: task, buffers), scratch: memory) }
      withUnsafePointer(to: second.convolution.call(of: task, second.buffers)) { other in
        var own = call(of: task, buffers)
        own.second = other
        compute(task, own, scratch: memory)
      }
    }
  }

  private func compute(_ task: RowTask, _ call: ck_conv_s8, scratch: UnsafeMutableRawPointer) {
    withUnsafePointer(to: call) {
      tier.table.conv_s8(
        $0, task.rows.lowerBound, task.rows.upperBound, task.channels.lowerBound,
        task.channels.upperBound, scratch)
    }
  }

  private func call(of task: RowTask, _ buffers: Buffers) -> ck_conv_s8 {
    let part = parts[task.job]
    return ck_conv_s8(
      window: part.window.window(taps: schedule.taps[task.job]),
      input: buffers.input + part.inputOffset,
      tap_pixels: Int32(part.tapPixels), tap_channels: Int32(part.tapChannels), pad: pad,
      weights: packed.address + sets.offsets[part.weights], is_warm: isWarm ? 1 : 0,
      bias: biases.map { $0.elements(of: Int32.self) + part.firstChannel },
      row_bias: buffers.rowBias,
      output: buffers.output + part.outputOffset * outputByteCount,
      residual_stride: part.residualStride.strides,
      epilogue: epilogue.code(
        channel: part.firstChannel,
        residual: buffers.residual.map { $0 + part.residualOffset * residualByteCount },
        integers: buffers.integers.map { $0 + part.outputOffset }),
      second: nil)
  }
}
