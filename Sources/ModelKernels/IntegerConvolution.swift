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
  /// One convolution; several make up a grouped, batched or transposed one.
  package struct Part {
    package var window: KernelWindow
    /// First element of the part in the whole input, output and residual.
    package var inputOffset: Int
    package var outputOffset: Int
    package var residualOffset: Int
    /// Elements between neighbouring positions of the residual.
    package var residualStride: Triple
    /// Neighbouring positions along the width that one tap reads, and bytes of each.
    package var tapPixels: Int
    package var tapChannels: Int
    /// Index into the epilogue's arrays of the part's first channel.
    package var firstChannel: Int
    /// Index of the weights in those given to the initialiser.
    package var weights: Int

    /// Bytes that one tap reads.
    var tapBytes: Int { tapPixels * tapChannels }

    package init(
      window: KernelWindow, inputOffset: Int = 0, outputOffset: Int = 0, residualOffset: Int = 0,
      residualStride: Triple = Triple(0, 0, 0), tapPixels: Int = 1, tapChannels: Int,
      firstChannel: Int = 0, weights: Int = 0
    ) {
      self.window = window
      self.inputOffset = inputOffset
      self.outputOffset = outputOffset
      self.residualOffset = residualOffset
      self.residualStride = residualStride
      self.tapPixels = tapPixels
      self.tapChannels = tapChannels
      self.firstChannel = firstChannel
      self.weights = weights
    }
  }

  private struct Job: Sendable {
    let part: Part
    let taps: KernelMemory
    let packed: KernelMemory
    let channels: Int
  }

  private let tier: KernelTier
  private let jobs: [Job]
  private let tasks: [RowTask]
  private let epilogue: PreparedEpilogue
  private let outputByteCount: Int
  private let residualByteCount: Int
  private let pad: Int8
  private let workerByteCount: Int
  /// Scratch that ``run(input:output:residual:rowBias:scratch:pool:)`` needs, aligned for kernels.
  package let scratchByteCount: Int
  /// Multiply-accumulates of one run.
  package let multiplyAccumulates: Int

  /// - Parameters:
  ///   - weights: packed once each, with their folded biases (`Q12`).
  ///   - pad: what positions outside the image read: the input's zero point.
  package init(
    tier: KernelTier, threads: Int, parts: [Part], weights: [(KernelWeights, folded: [Int32])],
    pad: Int8, epilogue: KernelEpilogue
  ) {
    self.tier = tier
    self.pad = pad
    let table = tier.table
    let packed = weights.enumerated().map { index, given in
      let (weights, folded) = given
      precondition(folded.count == weights.channels, "a bias for each channel")
      let reader = parts.first { $0.weights == index }
      let taps = reader?.window.taps.count ?? 1
      let run = reader?.tapBytes ?? weights.k
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
    var jobs: [Job] = []
    var tasks: [RowTask] = []
    var scratch = 0
    var work = 0
    for (index, part) in parts.enumerated() {
      let (own, _) = weights[part.weights]
      precondition(own.k == part.window.taps.count * part.tapBytes, "weights of the taps")
      let positions = part.window.outputSize.product
      let memory = part.window.tapMemory
      jobs.append(
        Job(
          part: part, taps: memory, packed: packed[part.weights],
          channels: own.channels))
      tasks += RowTask.split(
        job: index, rows: positions, line: part.window.outputSize.w, channels: own.channels,
        pieces: threads == 1 ? 1 : max(1, 4 * threads / parts.count), least: 48)
      var window = part.window.window(taps: memory)
      scratch = max(
        scratch, table.conv_s8_scratch_size(&window, part.tapPixels, part.tapChannels))
      work += positions * own.channels * own.k
    }
    self.jobs = jobs
    self.tasks = tasks
    self.epilogue = PreparedEpilogue(epilogue)
    outputByteCount = epilogue.outputByteCount
    residualByteCount = epilogue.residualByteCount
    workerByteCount = alignedByteCount(scratch)
    scratchByteCount = workerByteCount * threads
    multiplyAccumulates = work
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
    pool.run(tasks: tasks.count) { index, worker in
      let task = tasks[index]
      let job = jobs[task.job]
      let part = job.part
      var call = ck_conv_s8(
        window: part.window.window(taps: job.taps), input: input + part.inputOffset,
        tap_pixels: Int32(part.tapPixels), tap_channels: Int32(part.tapChannels), pad: pad,
        weights: UnsafeRawPointer(job.packed.address), row_bias: rowBias,
        output: output + part.outputOffset * outputByteCount,
        residual_stride: part.residualStride.strides,
        epilogue: epilogue.code(
          channel: part.firstChannel,
          residual: residual.map { $0 + part.residualOffset * residualByteCount }))
      tier.table.conv_s8(
        &call, task.rows.lowerBound, task.rows.upperBound, task.channels.lowerBound,
        task.channels.upperBound, scratch + worker * workerByteCount)
    }
  }
}
