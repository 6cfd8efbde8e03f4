import CKernels
import TensorCore

/// Convolutions and the phases of transposed convolutions over float32 images, channels-last, packed for one
/// tier and split for one number of threads (`Q29`): y[o][c] = Σ x · w[c] + bias[c] + residual, then the
/// activation.
package struct FloatConvolution: Sendable {
  /// The function applied last.
  package enum Activation: Sendable {
    case none
    case relu
    /// t < 0 ? t · slope[c] : t, with the slopes that the run is given.
    case slopes
    case function(UnaryFunction, Float = 0, Float = 0)
  }

  private let tier: KernelTier
  private let parts: [ConvolutionPart]
  /// How the parts of each set of weights are computed.
  private let ways: [Way]
  private let sets: ConvolutionPart.WeightSets
  /// Packed before the first run; nil where each run packs.
  package let packed: PackedWeights?
  /// Bytes of all packed weights.
  package var packedByteCount: Int { sets.byteCount }
  private let schedule: ConvolutionPart.Schedule
  private let activation: Activation
  private let isFused: Bool
  /// Scratch that ``run(input:output:bias:residual:slopes:scratch:pool:)`` needs, aligned for kernels.
  package let scratchByteCount: Int
  /// Multiply-accumulates of one run.
  package var multiplyAccumulates: Int { schedule.multiplyAccumulates }

  /// - Parameters:
  ///   - channels: output channels of each set of weights.
  ///   - isFused: sums need not be those of `Q29`: products are not rounded before they are added where the tier
  ///     can, and there may be fewer of them.
  ///   - origin: of the weights.
  package init(
    tier: KernelTier, threads: Int, parts: [ConvolutionPart], channels: [Int],
    activation: Activation, isFused: Bool, origin: WeightOrigin? = nil,
    weights: @escaping MakeWeights<Float>
  ) {
    self.init(
      tier: tier, threads: threads, parts: parts, channels: channels, activation: activation,
      isFused: isFused, origin: origin, given: weights)
  }

  /// A convolution whose weights are packed before each run.
  ///
  /// - Parameter channels: output channels of each set of weights.
  package init(
    tier: KernelTier, threads: Int, parts: [ConvolutionPart], channels: [Int],
    activation: Activation, isFused: Bool
  ) {
    self.init(
      tier: tier, threads: threads, parts: parts, channels: channels, activation: activation,
      isFused: isFused, origin: nil, given: nil)
  }

  private init(
    tier: KernelTier, threads: Int, parts: [ConvolutionPart], channels: [Int],
    activation: Activation, isFused: Bool, origin: WeightOrigin?, given weights: MakeWeights<Float>?
  ) {
    self.tier = tier
    self.parts = parts
    self.activation = activation
    self.isFused = isFused
    let table = tier.table
    let readers = Dictionary(grouping: parts, by: \.weights)
    let ways = channels.enumerated().map { index, count in
      Way(readers[index] ?? [], channels: count, isFree: isFused)
    }
    self.ways = ways
    let sets = ConvolutionPart.WeightSets(parts, channels: channels) {
      ways[$0].packedByteCount(table)
    }
    self.sets = sets
    packed = weights.map { weights in
      PackedWeights(
        byteCount: sets.byteCount,
        identity: origin.map {
          PackedWeights.Identity(origin: $0, order: sets.order + ways.map(\.rawValue))
        }
      ) { (target, scratch) throws(ModelError) in
        try weights(scratch) { index, first, rows in
          FloatConvolution.pack(rows, index, first, sets, ways[index], table, to: target)
        }
      }
    }
    schedule = ConvolutionPart.Schedule(
      parts, channels: channels, threads: threads,
      scratch: { ways[$0].scratchByteCount(table) })
    scratchByteCount = schedule.workerByteCount * threads
  }

  /// Packs weights of set `index`, from channel `first` on, for a run, into memory of ``packedByteCount`` bytes, aligned for kernels.
  package func pack(
    _ rows: WeightRows<Float>, _ index: Int, _ first: Int, to target: UnsafeMutableRawPointer
  ) {
    FloatConvolution.pack(rows, index, first, sets, ways[index], tier.table, to: target)
  }

  private static func pack(
    _ rows: WeightRows<Float>, _ index: Int, _ first: Int, _ sets: ConvolutionPart.WeightSets,
    _ way: Way, _ table: ck_kernels, to target: UnsafeMutableRawPointer
  ) {
    let set = sets.extents[index]
    precondition(
      first % IntegerConvolution.channelBlock == 0 && first + rows.channels <= set.channels)
    guard let start = rows.start(of: set.taps * set.run) else { return }
    way.pack(table)(
      start, rows.steps, rows.channels, set.taps, set.run,
      target + sets.offsets[index] + way.packedByteCount(table)(first, set.taps, set.run))
  }

  /// Computes every part, or those of `range`. Positions outside the image read +0.
  ///
  /// - Parameters:
  ///   - bias: one for each output channel.
  ///   - slopes: one for each output channel; present if and only if the activation has slopes.
  ///   - weights: packed for this run; present if and only if none were packed before.
  package func run(
    parts range: Range<Int>? = nil, input: UnsafePointer<Float>,
    output: UnsafeMutablePointer<Float>, bias: UnsafePointer<Float>?,
    residual: UnsafePointer<Float>?, slopes: UnsafePointer<Float>?,
    weights: UnsafeRawPointer? = nil, scratch: UnsafeMutableRawPointer, pool: ThreadPool
  ) {
    guard let weights = weights ?? packed?.address else {
      preconditionFailure("no weights are packed")
    }
    let tasks = schedule.tasks(of: range)
    pool.run(tasks: tasks.count) { index, worker in
      let task = tasks[tasks.startIndex + index]
      let part = parts[task.job]
      var epilogue = ck_epilogue_f32(
        bias: bias.map { $0 + part.firstChannel },
        residual: residual.map { $0 + part.residualOffset }, activation: .none,
        slope: slopes.map { $0 + part.firstChannel }, function: .abs, p0: 0, p1: 0)
      switch activation {
      case .none: break
      case .relu: epilogue.activation = .relu
      case .slopes: epilogue.activation = .leaky
      case .function(let function, let p0, let p1):
        epilogue.activation = .function
        epilogue.function = function.code
        epilogue.p0 = p0
        epilogue.p1 = p1
      }
      var call = ck_conv_f32(
        window: part.window.window(taps: schedule.taps[task.job]),
        input: input + part.inputOffset, tap_pixels: Int32(part.tapPixels),
        tap_channels: Int32(part.tapChannels), pad: 0,
        weights: weights + sets.offsets[part.weights], fused: isFused ? 1 : 0,
        output: output + part.outputOffset, residual_stride: part.residualStride.strides,
        epilogue: epilogue)
      ways[part.weights].run(tier.table)(
        &call, task.rows.lowerBound, task.rows.upperBound, task.channels.lowerBound,
        task.channels.upperBound, scratch + worker * schedule.workerByteCount)
    }
  }
}
