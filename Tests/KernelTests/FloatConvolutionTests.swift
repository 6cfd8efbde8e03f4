import ModelKernels
import TensorCore
import Testing

/// One convolution of floats with everything that the kernel can do, drawn from a seed.
private struct Problem {
  let window: KernelWindow
  let pixels: Int
  let channels: Int
  let filters: Int
  let input: [Float]
  let weights: [Float]
  let bias: [Float]?
  let residual: [Float]?
  let slopes: [Float]
  let activation: FloatConvolution.Activation

  var k: Int { window.taps.count * pixels * channels }
  var outputCount: Int { window.outputSize.product * filters }

  /// - Parameter isSquare: of 3×3 elements over an image that is large enough for fewer products.
  init(seed: Int, isSquare: Bool = false) {
    var samples = Samples(seed)
    let size =
      isSquare
      ? Triple(samples.integer(1...2), samples.integer(22...30), samples.integer(24...60))
      : Triple(
        samples.integer(1...2), samples.integer(1...5),
        samples.flag() ? samples.integer(1...7) : samples.integer(8...30))
    channels = samples.integer(isSquare ? 16...36 : 1...20)
    filters = samples.pick(
      isSquare ? [16, 17, 32, 40] : [1, 3, 8, 15, 16, 17, 31, 32, 33, 64, 70])
    let kernel =
      isSquare
      ? Triple(1, 3, 3)
      : Triple(samples.integer(1...2), samples.integer(1...3), samples.integer(1...3))
    let dilation = isSquare ? 1 : samples.integer(1...2)
    let before = samples.integer(0...2)
    let step =
      isSquare ? Triple(1, 1, 1) : Triple(1, samples.integer(1...2), samples.integer(1...2))
    let isDense = dilation == 1
    pixels = isDense ? kernel.w : 1
    var taps: [Triple] = []
    for d in 0..<kernel.d {
      for h in 0..<kernel.h {
        for w in 0..<(isDense ? 1 : kernel.w) {
          taps.append(Triple(d - before, h * dilation - before, w * dilation - before))
        }
      }
    }
    let output = Triple(
      size.d + before, (size.h + before) / step.h + 1, (size.w + before) / step.w + 1)
    window = KernelWindow(
      inputSize: size, outputSize: output, step: step, taps: taps,
      inputStride: KernelWindow.denseStride(size, pitch: channels),
      outputStride: KernelWindow.denseStride(output, pitch: filters))
    input = samples.floats(size.product * channels, -2...2)
    weights = samples.floats(filters * taps.count * pixels * channels, -1...1)
    bias = samples.flag() ? samples.floats(filters, -1...1) : nil
    residual = samples.flag() ? samples.floats(output.product * filters, -1...1) : nil
    slopes = samples.floats(filters, -1...1)
    activation = samples.pick([.none, .relu, .slopes, .function(.clip, -1, 2)])
  }

  /// A product of matrices of the sizes whose rows are interleaved.
  init(productOf seed: Int) {
    var samples = Samples(seed)
    let rows = samples.flag() ? samples.integer(1...15) : samples.integer(16...60)
    pixels = 1
    channels = samples.integer(1...150)
    filters = samples.pick([24, 31, 32, 33, 47, 64, 70, 96, 100])
    window = KernelWindow(rows: rows, depth: channels, channels: filters)
    input = samples.floats(rows * channels, -2...2)
    weights = samples.floats(filters * channels, -1...1)
    bias = samples.flag() ? samples.floats(filters, -1...1) : nil
    residual = samples.flag() ? samples.floats(rows * filters, -1...1) : nil
    slopes = samples.floats(filters, -1...1)
    activation = samples.pick([.none, .relu, .slopes, .function(.clip, -1, 2)])
  }

  /// `Q29`, in the order of taps, pixels and channels.
  func expected() -> [Float] {
    var result: [Float] = []
    let (size, stride, count) = (window.outputSize, window.inputStride, window.inputSize)
    for position in 0..<size.product {
      let (d, h, w) = (
        position / (size.h * size.w), position / size.w % size.h, position % size.w
      )
      var values: [Float] = []
      for tap in window.taps {
        let (z, y) = (d * window.step.d + tap.d, h * window.step.h + tap.h)
        for pixel in 0..<pixels {
          let x = w * window.step.w + tap.w + pixel
          let isInside =
            (0..<count.d).contains(z) && (0..<count.h).contains(y) && (0..<count.w).contains(x)
          let from = z * stride.d + y * stride.h + x * stride.w
          values +=
            isInside ? Array(input[from..<from + channels]) : .init(repeating: 0, count: channels)
        }
      }
      for filter in 0..<filters {
        var sum: Float = 0
        for (i, value) in values.enumerated() {
          let product = value * weights[filter * k + i]
          sum = sum + product
        }
        sum = sum + (bias?[filter] ?? 0)
        sum = sum + (residual?[position * filters + filter] ?? 0)
        switch activation {
        case .none: break
        case .relu: sum = sum < 0 ? 0 : sum
        case .slopes: sum = sum < 0 ? sum * slopes[filter] : sum
        case .function: sum = min(max(sum, -1), 2)
        }
        result.append(sum)
      }
    }
    return result
  }

  func computed(_ tier: KernelTier, threads: Int, isFused: Bool) throws -> [Float] {
    let convolution = FloatConvolution(
      tier: tier, threads: threads,
      parts: [
        ConvolutionPart(
          window: window, residualStride: window.outputStride, tapPixels: pixels,
          tapChannels: channels)
      ], channels: [filters], activation: activation, isFused: isFused
    ) { [weights, filters, channels, k] (_, pack) throws(ModelError) in
      // Weights lie otherwise for each number of threads.
      switch threads {
      case 1: weights.withUnsafeBufferPointer { pack(0, 0, WeightRows($0, channels: filters)) }
      case 2:
        let elements = k / channels
        let turned = weights.indices.map {
          weights[$0 / k * k + $0 % elements * channels + $0 % k / elements]
        }
        turned.withUnsafeBufferPointer {
          pack(0, 0, WeightRows($0, channels: filters, kernelElements: elements))
        }
      default:
        let turned = weights.indices.map { weights[$0 % filters * k + $0 / filters] }
        turned.withUnsafeBufferPointer {
          pack(0, 0, WeightRows(byElement: $0, channels: filters))
        }
      }
    }
    try PackedWeights.pack(convolution.packed.map { [$0] } ?? [])
    let scratch = KernelMemory(byteCount: convolution.scratchByteCount) { _ in }
    // What lies behind the image is read, and must not count.
    let input = KernelMemory(input + [Float](repeating: .nan, count: 16))
    let bias = bias.map { KernelMemory($0) }
    let residual = residual.map { KernelMemory($0) }
    let slopes = KernelMemory(slopes)
    var result = [Float](repeating: .nan, count: outputCount)
    convolution.run(
      input: input.elements(of: Float.self), output: &result, bias: bias?.elements(of: Float.self),
      residual: residual?.elements(of: Float.self), slopes: slopes.elements(of: Float.self),
      scratch: scratch.address, pool: ThreadPool(threads: threads))
    withExtendedLifetime((input, bias, residual, slopes)) {}
    return result
  }
}

@Suite struct FloatConvolutionTests {
  @Test func everyTierAndThreadCountHasTheBitsOfTheFormula() throws {
    for seed in 0..<40 {
      let problem = Problem(seed: seed)
      let expected = problem.expected()
      for tier in KernelTier.available {
        for threads in 1...3 {
          let isExact = try problem.computed(tier, threads: threads, isFused: false) == expected
          #expect(isExact, "\(tier), seed \(seed), \(threads) threads")
        }
      }
    }
  }

  @Test func productsHaveTheBitsOfTheFormula() throws {
    for seed in 0..<40 {
      let problem = Problem(productOf: seed)
      let expected = problem.expected()
      let bound = Float(problem.k) * 4 * Float.ulpOfOne + 1e-6
      for tier in KernelTier.available {
        for threads in 1...3 {
          let isExact = try problem.computed(tier, threads: threads, isFused: false) == expected
          #expect(isExact, "\(tier), seed \(seed), \(threads) threads")
          let fused = try problem.computed(tier, threads: threads, isFused: true)
          let isClose = zip(fused, expected).allSatisfy { abs($0 - $1) <= bound }
          #expect(isClose, "\(tier), seed \(seed), \(threads) threads, fused")
        }
      }
    }
  }

  /// Fewer products give sums that are as good, and the same however the work is split.
  @Test func fewerProductsAreAsGood() throws {
    for seed in 0..<6 {
      let problem = Problem(seed: seed, isSquare: true)
      let expected = problem.expected()
      for tier in KernelTier.available {
        let computed = try problem.computed(tier, threads: 1, isFused: true)
        let bound = Float(problem.k) * 4 * Float.ulpOfOne
        #expect(computed != expected, "direct sums")
        let isClose = zip(computed, expected).allSatisfy { abs($0 - $1) <= bound }
        #expect(isClose, "\(tier), seed \(seed)")
        for threads in 2...3 {
          let isSame = try problem.computed(tier, threads: threads, isFused: true) == computed
          #expect(isSame, "\(tier), seed \(seed), \(threads) threads")
        }
      }
    }
  }

  /// Fused sums differ from rounded ones by as much as rounding does.
  @Test func fusedSumsAreAsGood() throws {
    for seed in 0..<40 {
      let problem = Problem(seed: seed)
      let expected = problem.expected()
      for tier in KernelTier.available {
        let computed = try problem.computed(tier, threads: 1, isFused: true)
        let bound = Float(problem.k) * 4 * Float.ulpOfOne + 1e-6
        let isClose = zip(computed, expected).allSatisfy { abs($0 - $1) <= bound }
        #expect(isClose, "\(tier), seed \(seed)")
      }
    }
  }

  @Test func weightsThatLayersShareArePackedOnce() throws {
    var samples = Samples(4)
    let (depth, channels) = (40, 33)
    let shape = try Shape([depth, channels])
    let weights = Tensor(shape, samples.floats(shape.count, -1...1))
    let x = KernelMemory(samples.floats(depth, -1...1))
    let count = Count()
    let layers = [0, 0, 1].map { form in
      FloatConvolution(
        tier: .best, threads: 1,
        parts: [ConvolutionPart(rows: 1, depth: depth, channels: channels)], channels: [channels],
        activation: .none, isFused: false, origin: WeightOrigin(weights, form: [form])
      ) { (scratch, pack) throws(ModelError) in
        count.increase()
        try weights.withFloats(scratch) {
          pack(
            0, 0,
            form == 0
              ? WeightRows(byElement: $0, channels: channels) : WeightRows($0, channels: channels))
        }
      }
    }
    try PackedWeights.pack(layers.compactMap(\.packed))
    #expect(count.value == 2)
    let made = layers.map { layer in
      let scratch = KernelMemory(byteCount: layer.scratchByteCount) { _ in }
      var y = [Float](repeating: 0, count: channels)
      layer.run(
        input: x.elements(of: Float.self), output: &y, bias: nil, residual: nil, slopes: nil,
        scratch: scratch.address, pool: ThreadPool(threads: 1))
      return y
    }
    #expect(made[0] == made[1] && made[0] != made[2])
  }
}
