import ModelKernels
import Testing

/// Scores and reads of memories against their definitions (`Q61`, `Q63`), on every tier.
@Suite struct MemorySlotTests {
  private static let extremes: [Int16] = [.min, .min + 1, -32_640, 32_639, 32_640, .max]

  /// Random steps, or the extremes over and over from the `pattern`-th on.
  private static func steps(_ count: Int, _ pattern: Int?, _ samples: inout Samples) -> [Int16] {
    (0..<count).map { index in
      guard let pattern else { return Int16(truncatingIfNeeded: samples.integer(0...65_535)) }
      return extremes[(pattern + index * (pattern % 2)) % extremes.count]
    }
  }

  @Test(arguments: KernelTier.available) func scoresAreExactSums(tier: KernelTier) {
    var samples = Samples(31)
    for width in lengths + [512, 1031] {
      for (rows, slots) in [(1, 1), (2, 5), (3, 4), (5, 3)] {
        for pattern in [nil, 0, 1, 3, 5] {
          let directions = Self.steps(rows * width, pattern, &samples)
          let keys = Self.steps(slots * width, pattern.map { 5 - $0 }, &samples)
          let scales = samples.floats(slots, 0.1...1)
          let pitch = slots + 2
          var scores = [Float](repeating: -1, count: rows * pitch)
          var expected = scores
          for row in 0..<rows {
            for slot in 0..<slots {
              let sum = (0..<width).reduce(Int64(0)) {
                $0 + Int64(directions[row * width + $1]) * Int64(keys[slot * width + $1])
              }
              expected[row * pitch + slot] = Float(sum) * scales[slot]
            }
          }
          withUnsafeTemporaryAllocation(
            byteCount: KernelTier.slotScratchByteCount(width: width), alignment: 2
          ) { scratch in
            guard let address = scratch.baseAddress else { return }
            tier.scoreSlots(
              rows: rows, slots: slots, width: width, directions, keys: keys, scales: scales,
              to: &scores, row: pitch, scratch: address)
          }
          if width > 0 { #expect(scores == expected) }
        }
      }
    }
  }

  @Test(arguments: KernelTier.available) func slotsAreReadInWholeSteps(tier: KernelTier) {
    var samples = Samples(32)
    for columns in lengths {
      for pattern in BytePattern.allCases {
        let shares = [1, 0, 0x1p-17, 0.1, 0.100001, -1, .nan, 2] + samples.floats(4, 0...0.4)
        let values = samples.bytes(shares.count * columns, pattern)
        for least in [0, 0.1] as [Float] {
          var sums = [Int32](repeating: -1, count: columns)
          tier.readSlots(
            shares.count, columns: columns, shares: shares, least: least, values: values, to: &sums)
          let steps = shares.map { share -> Int in
            guard !(share < least) else { return 0 }
            let limited = share > 0 ? min(share * 65_535, 65_535) : 0
            return Int(limited.rounded(.toNearestOrEven))
          }
          let expected = (0..<columns).map { column in
            shares.indices.reduce(0) { $0 + steps[$1] * Int(values[$1 * columns + column]) }
          }
          #expect(sums.map { Int($0) } == expected)
        }
      }
    }
  }
}
