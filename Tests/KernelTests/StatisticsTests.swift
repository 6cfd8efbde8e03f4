import ModelKernels
import Testing

/// Against their definitions, on every tier.
@Suite struct StatisticsTests {
  private static let counts = [0, 1, 5, 16, 17, 100, 4099]

  private static func values(_ count: Int) -> [Float] {
    var samples = Samples(7)
    var values = samples.floats(count, -3...3)
    let odd: [Float] = [.nan, .infinity, -.infinity, 0, -0.0, 1e30, -1e30, 0x1p-140, 2048, -2048]
    for (index, value) in zip(stride(from: 3, to: count, by: 7), odd) { values[index] = value }
    return values
  }

  @Test(arguments: KernelTier.available) func extremesAreThoseOfTheFiniteValues(tier: KernelTier) {
    for count in Self.counts {
      let values = Self.values(count)
      let finite = values.filter(\.isFinite)
      let (range, bad) = values.withUnsafeBufferPointer { tier.extremes($0) }
      #expect(range?.lowerBound == finite.min() && range?.upperBound == finite.max())
      #expect(bad == count - finite.count)
    }
    #expect(
      ([.nan, .infinity] as [Float]).withUnsafeBufferPointer { tier.extremes($0) }.range == nil)
  }

  @Test(arguments: KernelTier.available) func eachFiniteValueCountsInItsBin(tier: KernelTier) {
    for (count, inverse) in Self.counts.flatMap({ [($0, 1), ($0, 512)] as [(Int, Float)] }) {
      let values = Self.values(count)
      var expected = [Int](repeating: 5, count: KernelTier.histogramBins)
      var bins = expected
      let last = expected.count - 1
      for value in values where value.isFinite {
        let place = (Double(value) * Double(inverse)).rounded(.down) + Double(expected.count / 2)
        expected[Int(min(max(place, 0), Double(last)))] += 1
      }
      values.withUnsafeBufferPointer { values in
        bins.withUnsafeMutableBufferPointer {
          tier.histogram(values, inverseWidth: inverse, into: $0)
        }
      }
      #expect(bins == expected)
    }
  }

  @Test(arguments: KernelTier.available) func channelsAreSummedInWholeSteps(tier: KernelTier) {
    for (outer, channels, inner) in [
      (1, 3, 1), (5, 40, 1), (3, 2, 33), (2, 3, 16), (1, 1, 600_000),
    ] {
      let values = Self.values(outer * channels * inner)
      var sums = [Int128](repeating: 9, count: channels)
      var counts = [Int](repeating: 9, count: channels)
      values.withUnsafeBufferPointer {
        tier.addChannelSums(
          $0, channels: channels, inner: inner, sums: &sums, counts: &counts)
      }
      for channel in 0..<channels {
        var (sum, count) = (Int128(9), 9)
        for block in 0..<outer {
          for index in 0..<inner {
            let value = Double(values[(block * channels + channel) * inner + index])
            guard abs(value) <= 0x1p20 else { continue }
            sum += Int128((value * 0x1p24).rounded(.toNearestOrEven))
            count += 1
          }
        }
        #expect(sums[channel] == sum && counts[channel] == count)
      }
    }
  }

  @Test(arguments: KernelTier.available) func rowsAreMultipliedWithEachOther(tier: KernelTier) {
    var samples = Samples(5)
    for (rows, columns) in [(1, 1), (2, 5), (3, 16), (4, 40), (6, 2), (7, 33), (128, 256)] {
      let values = samples.floats(rows * columns, -2047...2047).map { Int16($0) }
      let made = values.withUnsafeBufferPointer {
        tier.rowProducts($0, rows: rows, columns: columns)
      }
      var expected: [Int32] = []
      for i in 0..<rows {
        for j in 0...i {
          expected.append(
            (0..<columns).reduce(0) {
              $0 + Int32(values[i * columns + $1]) * Int32(values[j * columns + $1])
            })
        }
      }
      #expect(made == expected)
    }
  }

  @Test(arguments: KernelTier.available) func productsAreAddedInWholeSteps(tier: KernelTier) {
    var samples = Samples(8)
    for count in [0, 1, 9, 130] {
      let x = samples.floats(count, -1...1).map { Int32($0 * 2e9) }
      let sums = samples.floats(count, -1...1).map { Int64($0 * 0x1p60) }
      for factor in [0x1p-31, 0.75, 0x1p29] {
        var made = sums
        #expect(!tier.add(factor, times: x, to: &made))
        #expect(
          made
            == zip(sums, x).map {
              $0 + Int64((factor * Double($1)).rounded(.toNearestOrEven))
            })
      }
    }
    var most = [0, .max - 7, .min + 7] as [Int64]
    #expect(!tier.add(0.5, times: [14, 14, -14], to: &most))
    #expect(most == [7, .max, .min])
    for beyond in [[0, 2, 0], [0, 0, -2]] as [[Int32]] {
      var sums = most
      #expect(tier.add(0.5, times: beyond, to: &sums))
    }
  }

  @Test(arguments: KernelTier.available) func stepsAreTheNearestIntegers(tier: KernelTier) {
    var samples = Samples(6)
    let values = samples.floats(77, -1...1) + [0.5, -0.5, 1.5, 2.5, 32767, -32767].map { $0 / 100 }
    let made = values.withUnsafeBufferPointer { tier.steps($0, factor: 100) }
    #expect(made == values.map { Int16(($0 * 100).rounded(.toNearestOrEven)) })
    let beyond: [Float] = [1e30, -1e30, 32767.4, -32767.6, .infinity, -.infinity, .nan]
    #expect(
      beyond.withUnsafeBufferPointer { tier.steps($0, factor: 1) }
        == [32767, -32767, 32767, -32767, 32767, -32767, -32767])
  }

  @Test(arguments: KernelTier.available) func multiplesAreRoundedBeforeTheyAreAdded(
    tier: KernelTier
  ) {
    var samples = Samples(7)
    for count in [0, 1, 7, 16, 129] {
      let x = samples.floats(count, -3...3).map { Double($0) / 3 }
      let y = samples.floats(count, -3...3).map { Double($0) / 7 }
      var made = y
      x.withUnsafeBufferPointer { x in
        made.withUnsafeMutableBufferPointer { tier.add(0.1, times: x, to: $0) }
      }
      let products = x.map { $0 * 0.1 }
      #expect(made == zip(y, products).map { $0 + $1 })
    }
  }
}
