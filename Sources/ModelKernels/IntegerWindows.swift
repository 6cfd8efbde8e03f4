import CKernels

/// Depthwise convolution over an int8 image (one filter for each channel), then the epilogue.
package struct IntegerDepthwise: Sendable {
  private let tier: KernelTier
  private let window: KernelWindow
  private let taps: KernelMemory
  private let weights: KernelMemory
  private let folded: KernelMemory
  private let channels: Int
  private let pad: Int8
  private let residualStride: Triple
  private let epilogue: PreparedEpilogue
  private let tasks: [RowTask]
  package let multiplyAccumulates: Int

  /// - Parameters:
  ///   - weights: [taps][channels].
  ///   - folded: one bias for each channel (`Q12`).
  package init(
    tier: KernelTier, threads: Int, window: KernelWindow, channels: Int, weights: [Int8],
    folded: [Int32], pad: Int8, residualStride: Triple, epilogue: KernelEpilogue
  ) {
    precondition(weights.count == window.taps.count * channels, "weights of the taps")
    self.tier = tier
    self.window = window
    self.channels = channels
    self.pad = pad
    self.residualStride = residualStride
    taps = window.tapMemory
    self.weights = KernelMemory(weights)
    self.folded = KernelMemory(folded)
    self.epilogue = PreparedEpilogue(epilogue)
    tasks = RowTask.rows(window.outputSize.product, threads: threads)
    multiplyAccumulates = window.outputSize.product * weights.count
  }

  /// - Parameter integers: where those of both outputs go, if and only if the epilogue has both.
  package func run(
    input: UnsafePointer<Int8>, output: UnsafeMutableRawPointer,
    integers: UnsafeMutablePointer<Int8>? = nil, residual: UnsafeRawPointer?, pool: ThreadPool
  ) {
    pool.run(tasks: tasks.count) { index in
      var call = ck_depthwise_s8(
        window: window.window(taps: taps), input: input, channels: Int32(channels), pad: pad,
        weights: weights.elements(of: Int8.self), folded: folded.elements(of: Int32.self),
        output: output, residual_stride: residualStride.strides,
        epilogue: epilogue.code(channel: 0, residual: residual, integers: integers))
      tier.table.depthwise_s8(&call, tasks[index].rows.lowerBound, tasks[index].rows.upperBound)
    }
  }
}

/// Maximum and average pooling over an int8 image (`Q24`, `Q25`).
package struct IntegerPool: Sendable {
  package enum Kind: Sendable {
    /// The greatest value inside the image, limited by the clamp; scale and zero point stay.
    case maximum
    /// The mean. `counted` is the image with the padding at its ends where padding counts; the
    /// multiplier is sx/sy.
    case average(zeroPoint: Int32, multiplier: Float, counted: Triple, countsPadding: Bool)
  }

  private let tier: KernelTier
  private let kind: Kind
  private let window: KernelWindow
  private let taps: KernelMemory
  private let channels: Int
  private let clamp: IntegerClamp
  private let tasks: [RowTask]

  package init(
    tier: KernelTier, threads: Int, kind: Kind, window: KernelWindow, channels: Int,
    clamp: IntegerClamp
  ) {
    self.tier = tier
    self.kind = kind
    self.window = window
    self.channels = channels
    self.clamp = clamp
    taps = window.tapMemory
    tasks = RowTask.rows(window.outputSize.product, threads: threads)
  }

  package func run(
    input: UnsafePointer<Int8>, output: UnsafeMutablePointer<Int8>, pool: ThreadPool
  ) {
    pool.run(tasks: tasks.count) { index in
      let rows = tasks[index].rows
      clamp.withPointer { clamp in
        switch kind {
        case .maximum:
          var call = ck_max_pool_s8(
            window: window.window(taps: taps), input: input, channels: Int32(channels),
            output: output, clamp: clamp.pointee)
          tier.table.max_pool_s8(&call, rows.lowerBound, rows.upperBound)
        case .average(let zeroPoint, let multiplier, let counted, let countsPadding):
          var call = ck_average_pool_s8(
            window: window.window(taps: taps), input: input, channels: Int32(channels),
            counted_size: counted.extents, count_padding: countsPadding ? 1 : 0,
            input_zero: zeroPoint, multiplier: multiplier, output: output, clamp: clamp.pointee)
          tier.table.average_pool_s8(&call, rows.lowerBound, rows.upperBound)
        }
      }
    }
  }
}

/// Resizing of the two axes of an int8 image (`Q26`, `Q27`).
package struct IntegerResize: Sendable {
  /// Where each output index of one axis reads: `first`, or `first · (1 − weight) + second · weight`.
  package struct Axis: Sendable {
    package var first: [Int32]
    package var second: [Int32]
    package var weight: [Float]

    package init(first: [Int32], second: [Int32] = [], weight: [Float] = []) {
      self.first = first
      self.second = second
      self.weight = weight
    }
  }

  private let tier: KernelTier
  private let isLinear: Bool
  private let size: (Int, Int)
  private let channels: Int
  private let inputStride: (Int, Int)
  private let outputStride: (Int, Int)
  private let first: [KernelMemory]
  private let second: [KernelMemory]
  private let weight: [KernelMemory]
  private let zeroPoint: Int32
  private let multiplier: Float
  private let clamp: IntegerClamp
  private let tasks: [RowTask]

  /// - Parameters:
  ///   - rows: the first resized axis; `columns`: the second. Both or neither have second indices.
  ///   - inputStride: elements between neighbours along the two axes, as `outputStride`.
  ///   - zeroPoint: of the input; it and `multiplier` (sx/sy) matter to linear resizing only.
  package init(
    tier: KernelTier, threads: Int, rows: Axis, columns: Axis, channels: Int,
    inputStride: (Int, Int), outputStride: (Int, Int), zeroPoint: Int32, multiplier: Float,
    clamp: IntegerClamp
  ) {
    self.tier = tier
    self.channels = channels
    self.inputStride = inputStride
    self.outputStride = outputStride
    self.zeroPoint = zeroPoint
    self.multiplier = multiplier
    self.clamp = clamp
    isLinear = !rows.second.isEmpty
    size = (rows.first.count, columns.first.count)
    first = [KernelMemory(rows.first), KernelMemory(columns.first)]
    second = [KernelMemory(rows.second), KernelMemory(columns.second)]
    weight = [KernelMemory(rows.weight), KernelMemory(columns.weight)]
    tasks = RowTask.rows(rows.first.count, threads: threads, least: 1)
  }

  package func run(
    input: UnsafePointer<Int8>, output: UnsafeMutablePointer<Int8>, pool: ThreadPool
  ) {
    pool.run(tasks: tasks.count) { index in
      clamp.withPointer { clamp in
        var call = ck_resize_s8(
          out_size: (Int32(size.0), Int32(size.1)), channels: Int32(channels), input: input,
          in_stride: inputStride, output: output, out_stride: outputStride,
          row_first: first[0].elements(of: Int32.self),
          row_second: second[0].elements(of: Int32.self),
          row_weight: weight[0].elements(of: Float.self),
          column_first: first[1].elements(of: Int32.self),
          column_second: second[1].elements(of: Int32.self),
          column_weight: weight[1].elements(of: Float.self), input_zero: zeroPoint,
          multiplier: multiplier, clamp: clamp.pointee)
        let rows = tasks[index].rows
        if isLinear {
          tier.table.resize_linear_s8(&call, rows.lowerBound, rows.upperBound)
        } else {
          tier.table.resize_nearest_s8(&call, rows.lowerBound, rows.upperBound)
        }
      }
    }
  }
}

extension RowTask {
  /// Whole rows for each thread.
  static func rows(_ count: Int, threads: Int, least: Int = 16) -> [RowTask] {
    split(job: 0, rows: count, channels: 1, pieces: threads == 1 ? 1 : 4 * threads, least: least)
  }
}
