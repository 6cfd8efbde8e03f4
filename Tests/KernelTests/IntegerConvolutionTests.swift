import ModelKernels
import TensorCore
import Testing

/// One convolution problem with everything that the kernels can do, drawn from a seed.
private struct Problem {
  var window: KernelWindow
  var pixels: Int
  var channels: Int
  var filters: Int
  var input: [Int8]
  var weights: [Int8]
  var biases: [Int32]
  var rowBias: [Int32]?
  var residual: [Int8]?
  var residualFloats: [Float]?
  var residualStride: Triple
  var epilogue: KernelEpilogue
  var pad: Int8

  var k: Int { window.taps.count * pixels * channels }
  var outputCount: Int {
    let (size, stride) = (window.outputSize, window.outputStride)
    return (size.d - 1) * stride.d + (size.h - 1) * stride.h + (size.w - 1) * stride.w + filters
  }

  /// - Parameter rows: of a product of matrices whose rows are too many for one block; nil for a problem of any kind.
  init(seed: Int, pattern: BytePattern, rows: Int? = nil) {
    var samples = Samples(seed)
    let isProduct = rows != nil || seed % 3 == 0
    // Few channels of long lines have a way of their own.
    let isLong = seed % 4 == 1
    channels = samples.integer(1...(isProduct ? 300 : isLong ? 20 : 40))
    filters =
      isLong
      ? samples.integer(1...9)
      : samples.pick([1, 2, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 80, 96])
    if rows != nil { (channels, filters) = (500, 17) }
    let extra = rows != nil ? 0 : samples.integer(0...2)
    let width =
      isLong
      ? samples.integer(40...150)
      : isProduct || samples.flag() ? samples.integer(8...30) : samples.integer(1...7)
    let size =
      isProduct
      ? Triple(1, 1, rows ?? (samples.flag() ? width : samples.integer(1...30)))
      : Triple(samples.integer(1...2), samples.integer(1...(isLong ? 3 : 6)), width)
    let kernel =
      isProduct
      ? Triple(1, 1, 1)
      : Triple(samples.integer(1...2), samples.integer(1...3), samples.integer(1...3))
    let step = Triple(
      samples.integer(1...2), samples.integer(1...2), isLong ? 1 : samples.integer(1...2))
    let dilation = samples.integer(1...2)
    let before = isProduct ? 0 : samples.integer(0...2)
    let isDense = dilation == 1 && extra == 0
    pixels = isDense ? kernel.w : 1
    var taps: [Triple] = []
    for d in 0..<kernel.d {
      for h in 0..<kernel.h {
        for w in 0..<(isDense ? 1 : kernel.w) {
          taps.append(
            Triple(d * dilation - before, h * dilation - before, w * dilation - before))
        }
      }
    }
    let output = Triple(
      (size.d + before) / step.d + 1, (size.h + before) / step.h + 1,
      isProduct ? size.w : (size.w + before) / step.w + 1)
    window = KernelWindow(
      inputSize: size, outputSize: isProduct ? size : output,
      step: isProduct ? Triple(1, 1, 1) : step, taps: taps,
      inputStride: KernelWindow.denseStride(size, pitch: channels + extra),
      outputStride: KernelWindow.denseStride(
        isProduct ? size : output, pitch: filters + samples.integer(0...3)))
    residualStride = KernelWindow.denseStride(window.outputSize, pitch: filters)
    input = samples.bytes(size.product * (channels + extra), pattern)
    let depth = taps.count * pixels * channels
    weights = samples.bytes(filters * depth, pattern)
    biases = (0..<filters).map { _ in Int32(samples.integer(-50_000...50_000)) }
    let positions = window.outputSize.product
    if samples.flag() {
      rowBias = (0..<positions).map { _ in Int32(samples.integer(-9_000...9_000)) }
    }
    pad = Int8(samples.integer(-128...127))
    let spread = 90 / (Float(depth).squareRoot() * (pattern == .random ? 5000 : 16000) + 1)
    epilogue = KernelEpilogue(
      multipliers: samples.floats(filters, spread...2 * spread), output: .float32)
    switch samples.integer(0...4) {
    case 0: epilogue.activation = .relu
    case 1: epilogue.activation = .leaky(samples.floats(filters, -1...1))
    case 2: epilogue.activation = .function(.sigmoid)
    case 3: epilogue.activation = .function(.clip, -20, 30)
    default: break
    }
    if samples.flag() {
      var clamp = IntegerClamp(zeroPoint: Int32(samples.integer(-128...127)))
      if samples.flag() {
        clamp.low = Int32(samples.integer(-128...0))
        clamp.high = Int32(samples.integer(1...127))
      }
      if samples.flag() { clamp.table = samples.bytes(256) }
      epilogue.output = .int8(clamp, scale: samples.flag() ? 1 : samples.float(0.25...2))
    } else if seed % 2 == 0 {
      let clamp = IntegerClamp(
        zeroPoint: Int32(seed) - 20, low: -100, table: seed % 4 == 0 ? samples.bytes(256) : nil)
      epilogue.output = .both(clamp, scale: 0.75)
    }
    switch samples.integer(0...2) {
    case 0:
      residual = samples.bytes(positions * filters, pattern)
      epilogue.residual = .int8(
        zeroPoint: Int32(samples.integer(-128...127)), multiplier: samples.float(0...1))
    case 1:
      residualFloats = samples.floats(positions * filters, -40...40)
      epilogue.residual = .float32
    default: break
    }
  }

  /// The formula, written from the clauses.
  func expected() -> (bytes: [Int8], floats: [Float]) {
    var bytes = [Int8](repeating: 85, count: outputCount)
    var floats = [Float](repeating: 85, count: outputCount)
    let (inSize, outSize) = (window.inputSize, window.outputSize)
    var row = 0
    for d in 0..<outSize.d {
      for h in 0..<outSize.h {
        for w in 0..<outSize.w {
          var values: [Int] = []
          for tap in window.taps {
            for pixel in 0..<pixels {
              let (y, x, z) = (
                h * window.step.h + tap.h, w * window.step.w + tap.w + pixel,
                d * window.step.d + tap.d
              )
              let inside =
                z >= 0 && z < inSize.d && y >= 0 && y < inSize.h && x >= 0 && x < inSize.w
              let stride = window.inputStride
              for c in 0..<channels {
                values.append(
                  inside
                    ? Int(input[z * stride.d + y * stride.h + x * stride.w + c]) : Int(pad))
              }
            }
          }
          for c in 0..<filters {
            var sum = Int(biases[c]) + Int(rowBias?[row] ?? 0)
            for (i, value) in values.enumerated() {
              sum += (value - Int(pad)) * Int(weights[c * k + i])
            }
            let at = d * residualStride.d + h * residualStride.h + w * residualStride.w + c
            let t = finish(Int32(sum), channel: c, residualAt: at)
            let stride = window.outputStride
            let place = d * stride.d + h * stride.h + w * stride.w + c
            switch epilogue.output {
            case .float32: floats[place] = t
            case .int8(let clamp, let scale): bytes[place] = clamp(t * (1 / scale))
            case .both(let clamp, let scale):
              floats[place] = t
              bytes[place] = clamp(t * (1 / scale))
            }
          }
          row += 1
        }
      }
    }
    return (bytes, floats)
  }

  private func finish(_ sum: Int32, channel: Int, residualAt at: Int) -> Float {
    var t = Float(sum) * epilogue.multipliers[channel]
    switch epilogue.residual {
    case .int8(let zeroPoint, let multiplier):
      t += Float(Int32(residual?[at] ?? 0) - zeroPoint) * multiplier
    case .float32: t += residualFloats?[at] ?? 0
    case nil: break
    }
    switch epilogue.activation {
    case .none: break
    case .relu: t = t < 0 ? 0 : t
    case .leaky(let slopes): t = t < 0 ? t * slopes[channel] : t
    case .function(let function, let p0, let p1):
      let real = t
      KernelTier.available.last?.apply(function, count: 1, [real], to: &t, p0: p0, p1: p1)
    }
    return t
  }

  /// What a tier computes with some threads.
  func computed(_ tier: KernelTier, threads: Int) throws -> (bytes: [Int8], floats: [Float]) {
    let convolution = layer(tier, threads: threads)
    try PackedWeights.pack([convolution.packed])
    let scratch = KernelMemory(byteCount: convolution.scratchByteCount) { _ in }
    let pool = ThreadPool(threads: threads)
    return withBuffers { convolution.run($0, scratch: scratch.address, pool: pool) }
  }

  /// - Parameter origin: of the weights, which others of it share.
  func layer(_ tier: KernelTier, threads: Int, origin: WeightOrigin? = nil) -> IntegerConvolution {
    let part = ConvolutionPart(
      window: window, residualStride: residualStride, tapPixels: pixels, tapChannels: channels)
    return IntegerConvolution(
      tier: tier, threads: threads, parts: [part], channels: [filters], pad: pad, biases: biases,
      epilogue: epilogue, origin: origin
    ) { [weights, filters, k] (_, pack) throws(ModelError) in
      // Weights of some threads come element by element.
      if threads > 1 {
        let turned = (0..<weights.count).map { weights[$0 % filters * k + $0 / filters] }
        turned.withUnsafeBufferPointer {
          pack(0, 0, WeightRows(byElement: $0, channels: filters))
        }
      } else {
        weights.withUnsafeBufferPointer { pack(0, 0, WeightRows($0, channels: filters)) }
      }
    }
  }

  /// The outputs that `run` writes.
  func withBuffers(
    _ run: (IntegerConvolution.Buffers) -> Void
  ) -> (bytes: [Int8], floats: [Float]) {
    var bytes = [Int8](repeating: 85, count: outputCount)
    var floats = [Float](repeating: 85, count: outputCount)
    let isInteger = epilogue.outputByteCount == 1
    let residual = residual.map { KernelMemory($0) } ?? residualFloats.map { KernelMemory($0) }
    let bias = rowBias.map { KernelMemory($0) }
    bytes.withUnsafeMutableBytes { bytes in
      floats.withUnsafeMutableBytes { floats in
        input.withUnsafeBufferPointer { input in
          guard let output = isInteger ? bytes.baseAddress : floats.baseAddress,
            let x = input.baseAddress
          else { return }
          run(
            IntegerConvolution.Buffers(
              input: x, output: output, integers: bytes.bindMemory(to: Int8.self).baseAddress,
              residual: residual.map { UnsafeRawPointer($0.address) },
              rowBias: bias?.elements(of: Int32.self)))
        }
      }
    }
    withExtendedLifetime((residual, bias)) {}
    return (bytes, floats)
  }

  /// A layer with the same weights, whose float32 output may be this one's residual.
  var addend: Problem {
    var other = self
    other.input.reverse()
    other.pad = ~pad
    other.window.outputStride = residualStride
    other.rowBias = nil
    (other.residual, other.residualFloats) = (nil, nil)
    other.epilogue = KernelEpilogue(multipliers: epilogue.multipliers.reversed(), output: .float32)
    return other
  }
}

@Suite struct IntegerConvolutionTests {
  @Test(arguments: BytePattern.allCases) func everyTierAndThreadCountIsExact(pattern: BytePattern)
    throws
  {
    for seed in 0...48 {
      let problem = Problem(seed: seed, pattern: pattern, rows: seed == 48 ? 420 : nil)
      let expected = problem.expected()
      for tier in KernelTier.available {
        for threads in [1, 3] {
          let computed = try problem.computed(tier, threads: threads)
          let isExact = computed == expected
          #expect(isExact, "\(tier), seed \(seed), \(threads) threads")
        }
      }
    }
  }

  @Test(arguments: KernelTier.available)
  func aLayerThatAddsAnotherOfTheSameWeightsRunsWithIt(tier: KernelTier) throws {
    for seed in 0...48 {
      var problem = Problem(seed: seed, pattern: .random, rows: seed == 48 ? 420 : nil)
      let addend = problem.addend
      problem.residual = nil
      problem.residualFloats = addend.expected().floats
      problem.epilogue.residual = .float32
      let expected = problem.expected()
      let origin = WeightOrigin(
        Tensor(try Shape([problem.filters, problem.k]), problem.weights), form: [])
      for threads in [1, 3] {
        let layer = problem.layer(tier, threads: threads, origin: origin)
        let first = addend.layer(tier, threads: threads, origin: origin)
        #expect(first.canRun(with: layer))
        try PackedWeights.pack([first.packed, layer.packed])
        let scratch = KernelMemory(byteCount: 2 * first.scratchByteCount) { _ in }
        let pool = ThreadPool(threads: threads)
        let computed = problem.withBuffers { own in
          var own = own
          _ = addend.withBuffers { other in
            own.residual = UnsafeRawPointer(other.output)
            first.run(other, with: (layer, own), scratch: scratch.address, pool: pool)
          }
        }
        let isExact = computed == expected
        #expect(isExact, "seed \(seed), \(threads) threads")
      }
    }
  }

  @Test(arguments: KernelTier.available)
  func layersThatShareWeightsButNothingElsePackThemOnce(tier: KernelTier) throws {
    var samples = Samples(5)
    let (depth, channels) = (70, 40)
    let values = samples.bytes(depth * channels)
    let weights = Tensor(try Shape([channels, depth]), values)
    let x = samples.bytes(depth)
    let count = Count()
    let forms: [(pad: Int8, biases: [Int32]?)] = [
      (-128, nil), (127, (0..<channels).map { Int32($0 * 1000 - 9000) }),
    ]
    let layers = forms.map { form in
      IntegerConvolution(
        tier: tier, threads: 1,
        parts: [ConvolutionPart(rows: 1, depth: depth, channels: channels)], channels: [channels],
        pad: form.pad, biases: form.biases,
        epilogue: KernelEpilogue(
          multipliers: [Float](repeating: 1, count: channels), output: .float32),
        origin: WeightOrigin(weights, form: [])
      ) { (scratch, pack) throws(ModelError) in
        count.increase()
        try weights.withElements(of: Int8.self, scratch) { (values) throws(ModelError) in
          pack(0, 0, WeightRows(values, channels: channels))
        }
      }
    }
    try PackedWeights.pack(layers.map(\.packed))
    #expect(count.value == 1)
    for (layer, form) in zip(layers, forms) {
      let scratch = KernelMemory(byteCount: layer.scratchByteCount) { _ in }
      var y = [Float](repeating: 0, count: channels)
      y.withUnsafeMutableBytes { y in
        x.withUnsafeBufferPointer { x in
          guard let input = x.baseAddress, let output = y.baseAddress else { return }
          layer.run(
            IntegerConvolution.Buffers(input: input, output: output), scratch: scratch.address,
            pool: ThreadPool(threads: 1))
        }
      }
      let expected = (0..<channels).map { c in
        (0..<depth).reduce(form.biases?[c] ?? 0) {
          $0 + (Int32(x[$1]) - Int32(form.pad)) * Int32(values[c * depth + $1])
        }
      }
      #expect(y == expected.map { Float($0) })
    }
  }
}
