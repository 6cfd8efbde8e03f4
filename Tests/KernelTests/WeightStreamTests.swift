import ModelKernels
import Testing

/// Streams of coded weights on every tier, against the sentences of `B29`.
@Suite struct WeightStreamTests {
  /// Of −128…127: some often, many hardly ever, some never.
  private static let frequencies: [[Int]] = [
    (0..<256).map { $0 == 128 ? 16384 : 0 },
    (0..<256).map { $0 == 128 ? 16384 - 255 * 4 : 4 },
    (0..<256).map { abs($0 - 128) > 20 ? 0 : $0 == 128 ? 16384 - 40 * 300 : 300 },
    (0..<256).map { $0 == 0 ? 16383 : $0 == 255 ? 1 : 0 },
  ]

  /// What a reader finds in a stream, word by word: weights, and whether it ends as it should.
  private static func read(
    _ states: [UInt32], _ words: [UInt16], _ runs: [(distribution: Int, count: Int)]
  ) -> (weights: [Int8], hasEnded: Bool) {
    var (states, words) = (states, words[...])
    var weights: [Int8] = []
    var isWrong = states.contains { $0 < 1 << 16 }
    for run in runs {
      let frequencies = Self.frequencies[run.distribution]
      for _ in 0..<run.count {
        let lane = weights.count % states.count
        let slot = Int(states[lane] % 16384)
        var (index, first) = (0, 0)
        while first + frequencies[index] <= slot {
          first += frequencies[index]
          index += 1
        }
        weights.append(Int8(index - 128))
        var state = UInt32(frequencies[index]) &* (states[lane] >> 14) &+ UInt32(slot - first)
        if state < 1 << 16, let word = words.popFirst() { state = state << 16 | UInt32(word) }
        isWrong = isWrong || state < 1 << 16
        states[lane] = state
      }
    }
    return (weights, !isWrong && words.isEmpty && states.allSatisfy { $0 == 1 << 16 })
  }

  /// Streams of anyone's bytes: too few words, too many, states below what they may be.
  @Test(arguments: KernelTier.available) func everyStreamReadsAsTheDocumentSays(tier: KernelTier) {
    var samples = Samples(3)
    let tables = Self.frequencies.map { WeightTable(frequencies: $0) }
    for (lanes, wordCount) in [(8, 500), (64, 3000), (64, 60), (8, 0), (64, 0), (3, 40)] {
      let states = samples.bytes(4 * lanes).map { UInt8(bitPattern: $0) }
      let words = samples.bytes(2 * wordCount).map { UInt8(bitPattern: $0) }
      let runs = [(2, 700), (0, 5), (1, 0), (3, 64), (2, 63), (1, 1000), (2, 129)]
      let (weights, hasEnded) = Self.read(
        (0..<lanes).map { lane in
          (0..<4).reduce(0) { $0 | UInt32(states[4 * lane + $1]) << UInt32(8 * $1) }
        },
        (0..<wordCount).map { UInt16(words[2 * $0]) | UInt16(words[2 * $0 + 1]) << 8 }, runs)
      var made = [Int8](repeating: 7, count: weights.count)
      (states + words).withUnsafeBytes { stored in
        made.withUnsafeMutableBytes { made in
          var stream = WeightStream(stored, lanes: lanes, tier: tier)
          var first = 0
          for (distribution, count) in runs {
            stream.decode(
              tables[distribution],
              into: UnsafeMutableRawBufferPointer(rebasing: made[first..<first + count]))
            first += count
          }
          let ended = stream.hasEnded
          #expect(ended == hasEnded)
        }
      }
      #expect(made == weights, "\(lanes) states, \(wordCount) words")
    }
  }

  @Test(arguments: KernelTier.available) func aStreamOfNothingEnds(tier: KernelTier) {
    let states: [UInt8] = (0..<64).flatMap { _ in [0, 0, 1, 0] as [UInt8] }
    states.withUnsafeBytes { stored in
      var stream = WeightStream(stored, lanes: 64, tier: tier)
      let atOnce = stream.hasEnded
      var weights = [Int8](repeating: 7, count: 1000)
      weights.withUnsafeMutableBytes {
        stream.decode(WeightTable(frequencies: Self.frequencies[0]), into: $0)
      }
      let afterwards = stream.hasEnded
      #expect(atOnce && afterwards && weights.allSatisfy { $0 == 0 })
    }
  }
}
