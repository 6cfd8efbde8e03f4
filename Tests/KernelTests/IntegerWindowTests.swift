import ModelKernels
import Testing

@Suite struct IntegerWindowTests {
  /// A 3×2 window with padding over a 5×6 image of `channels`.
  private static func window(channels: Int) -> KernelWindow {
    let (size, output) = (Triple(1, 5, 6), Triple(1, 3, 7))
    return KernelWindow(
      inputSize: size, outputSize: output, step: Triple(1, 2, 1),
      taps: (0..<3).flatMap { h in (0..<2).map { Triple(0, h - 1, $0 - 1) } },
      inputStride: KernelWindow.denseStride(size, pitch: channels),
      outputStride: KernelWindow.denseStride(output, pitch: channels))
  }

  /// Values of each output position's taps (nil outside the image) for one channel.
  private static func taps(
    _ window: KernelWindow, _ x: [Int8], channels: Int, _ channel: Int
  ) -> [[(value: Int8?, h: Int, w: Int)]] {
    var result: [[(value: Int8?, h: Int, w: Int)]] = []
    for h in 0..<window.outputSize.h {
      for w in 0..<window.outputSize.w {
        result.append(
          window.taps.map { tap in
            let (y, z) = (h * window.step.h + tap.h, w * window.step.w + tap.w)
            let inside =
              y >= 0 && y < window.inputSize.h && z >= 0 && z < window.inputSize.w
            return (
              inside ? x[(y * window.inputSize.w + z) * channels + channel] : nil, y, z
            )
          })
      }
    }
    return result
  }

  @Test(arguments: KernelTier.available) func poolsFollowTheFormula(tier: KernelTier) {
    var samples = Samples(5)
    for channels in [1, 31, 32, 33, 70] {
      for (pattern, threads) in zip(BytePattern.allCases, [1, 2, 1, 3]) {
        let window = Self.window(channels: channels)
        let x = samples.bytes(window.inputSize.product * channels, pattern)
        let pool = ThreadPool(threads: threads)
        let clamp = IntegerClamp(zeroPoint: -9, low: -120, high: 101)
        var greatest = [Int8](repeating: 0, count: window.outputSize.product * channels)
        IntegerPool(
          tier: tier, threads: threads, kind: .maximum, window: window, channels: channels,
          clamp: clamp
        ).run(input: x, output: &greatest, pool: pool)
        var means = [greatest, greatest]
        for (index, countsPadding) in [false, true].enumerated() {
          IntegerPool(
            tier: tier, threads: threads,
            kind: .average(
              zeroPoint: 17, multiplier: 0.9,
              counted: countsPadding ? Triple(1, 6, 7) : window.inputSize,
              countsPadding: countsPadding),
            window: window, channels: channels, clamp: clamp
          ).run(input: x, output: &means[index], pool: pool)
        }
        for channel in 0..<channels {
          for (row, taps) in Self.taps(window, x, channels: channels, channel).enumerated() {
            let inside = taps.compactMap(\.value)
            let place = row * channels + channel
            #expect(greatest[place] == min(max(inside.max() ?? -128, -120), 101))
            let sum = inside.reduce(Int32(0)) { $0 + Int32($1) - 17 }
            let counted = taps.count { $0.h < 6 && $0.w < 7 }
            #expect(means[0][place] == clamp(Float(sum) * (0.9 / Float(inside.count))))
            #expect(means[1][place] == clamp(Float(sum) * (0.9 / Float(counted))))
          }
        }
      }
    }
  }

  @Test(arguments: KernelTier.available) func depthwiseIsOneFilterAChannel(tier: KernelTier) {
    var samples = Samples(6)
    for channels in [1, 17, 32, 40] {
      for pattern in BytePattern.allCases {
        let window = Self.window(channels: channels)
        let x = samples.bytes(window.inputSize.product * channels, pattern)
        let weights = samples.bytes(window.taps.count * channels, pattern)
        let folded = (0..<channels).map { _ in Int32(samples.integer(-3000...3000)) }
        let clamp = IntegerClamp(zeroPoint: 4)
        let multipliers = samples.floats(channels, 0.001...0.01)
        var y = [Int8](repeating: 0, count: window.outputSize.product * channels)
        IntegerDepthwise(
          tier: tier, threads: 2, window: window, channels: channels, weights: weights,
          folded: folded, pad: 50, residualStride: Triple(0, 0, 0),
          epilogue: KernelEpilogue(
            multipliers: multipliers, activation: .relu, output: .int8(clamp, scale: 1))
        ).run(input: x, output: &y, residual: nil, pool: ThreadPool(threads: 2))
        for channel in 0..<channels {
          for (row, taps) in Self.taps(window, x, channels: channels, channel).enumerated() {
            var sum = folded[channel]
            for (index, tap) in taps.enumerated() {
              sum += Int32(tap.value ?? 50) * Int32(weights[index * channels + channel])
            }
            let t = Float(sum) * multipliers[channel]
            #expect(y[row * channels + channel] == clamp(t < 0 ? 0 : t))
          }
        }
      }
    }
  }

  @Test(arguments: KernelTier.available) func resizeFollowsTheFormula(tier: KernelTier) {
    var samples = Samples(8)
    let (height, width, channels) = (4, 3, 37)
    let x = samples.bytes(height * width * channels)
    let rows = IntegerResize.Axis(
      first: [0, 0, 1, 3, 2], second: [1, 1, 2, 3, 3], weight: [0.25, 0.6, 0.7, 0, 0.1])
    let columns = IntegerResize.Axis(
      first: [0, 2, 1], second: [1, 2, 2], weight: [0.9, 0.3, 0.5])
    let clamp = IntegerClamp(zeroPoint: -20)
    let make = { (rows: IntegerResize.Axis, columns: IntegerResize.Axis) in
      IntegerResize(
        tier: tier, threads: 2, rows: rows, columns: columns, channels: channels,
        inputStride: (width * channels, channels), outputStride: (3 * channels, channels),
        zeroPoint: 13, multiplier: 0.8, clamp: clamp)
    }
    var near = [Int8](repeating: 0, count: 15 * channels)
    var linear = near
    let pool = ThreadPool(threads: 2)
    make(.init(first: rows.first), .init(first: columns.first)).run(
      input: x, output: &near, pool: pool)
    make(rows, columns).run(input: x, output: &linear, pool: pool)
    for i in 0..<5 {
      for j in 0..<3 {
        for c in 0..<channels {
          let q = { (h: Int32, w: Int32) in x[(Int(h) * width + Int(w)) * channels + c] }
          let place = (i * 3 + j) * channels + c
          #expect(near[place] == q(rows.first[i], columns.first[j]))
          let p = { (h: Int32, w: Int32) in Float(Int32(q(h, w)) - 13) }
          let (u1, v1) = (columns.weight[j], rows.weight[i])
          let (u0, v0) = (1 - u1, 1 - v1)
          let (j0, j1) = (columns.first[j], columns.second[j])
          let a = p(rows.first[i], j0) * u0 + p(rows.first[i], j1) * u1
          let b = p(rows.second[i], j0) * u0 + p(rows.second[i], j1) * u1
          #expect(linear[place] == clamp((a * v0 + b * v1) * 0.8))
        }
      }
    }
  }
}
