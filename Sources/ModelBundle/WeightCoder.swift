import ModelKernels
import TensorCore

/// Weights of eight bits as one stream of an asymmetric numeral system, each channel by the distribution that
/// makes it shortest (`B29`, `B80`).
enum WeightCoder {
  /// States that take turns, so that a reader works on several weights at a time.
  enum Turns: CaseIterable {
    /// A few, through all channels.
    case throughout
    /// As many as readers can use, from the first on in each channel.
    case byChannel

    var lanes: Int {
      switch self {
      case .throughout: 8
      case .byChannel: WeightStream.maximumLanes
      }
    }
  }

  /// So many weights make up for the states of ``Turns/byChannel``.
  static let manyWeights = 1 << 16
  /// The axis that says that a tensor is one channel.
  static let whole = UInt8.max
  /// States are not below.
  private static let lowest: UInt32 = 1 << 16

  /// How the elements of a tensor lie in channels.
  struct Layout {
    let outer: Int
    let channels: Int
    let inner: Int
    var count: Int { outer * channels * inner }

    /// - Throws: `malformed-input` for an axis that `shape` lacks.
    init(_ shape: Shape, axis: UInt8) throws(ModelError) {
      guard axis != WeightCoder.whole else {
        (outer, channels, inner) = (1, 1, shape.count)
        return
      }
      guard Int(axis) < shape.rank else {
        throw ModelError(.malformedInput, "B29: channels along axis \(axis) of \(shape)")
      }
      outer = shape.count(0..<Int(axis))
      channels = shape[Int(axis)]
      inner = shape.count(Int(axis) + 1..<shape.rank)
    }

    /// Where the runs of `channel` start.
    func starts(_ channel: Int) -> StrideTo<Int> {
      stride(from: channel * inner, to: count, by: max(channels * inner, 1))
    }
  }

  static func canCode(_ element: ElementType) -> Bool { element == .int8 || element == .int4 }

  // MARK: - Reading

  /// Fills `content` with tensors of these shapes, one after the other.
  ///
  /// - Throws: `malformed-input` for a stream that does not end where its last weight does.
  static func decode(
    _ stored: UnsafeRawBufferPointer, _ shapes: [Shape], _ turns: Turns,
    into content: UnsafeMutableRawBufferPointer
  ) throws(ModelError) {
    var position = 0
    func bytes(_ count: Int) throws(ModelError) -> UnsafeRawBufferPointer {
      guard count <= stored.count - position else {
        throw ModelError(.malformedInput, "B29: a stream of weights of \(stored.count) bytes ends")
      }
      defer { position += count }
      return UnsafeRawBufferPointer(rebasing: stored[position..<position + count])
    }
    var plans: [(layout: Layout, numbers: UnsafeRawBufferPointer)] = []
    var tables = [WeightTable?](repeating: nil, count: WeightDistribution.count)
    for shape in shapes {
      let layout = try Layout(shape, axis: try bytes(1)[0])
      let numbers = try bytes(layout.channels)
      for number in numbers {
        guard number < WeightDistribution.count else {
          throw ModelError(.malformedInput, "B30: there is no distribution \(number)")
        }
        if tables[Int(number)] == nil {
          tables[Int(number)] = WeightTable(frequencies: WeightDistribution(Int(number)).signed)
        }
      }
      plans.append((layout, numbers))
    }
    let first = position
    _ = try bytes(4 * turns.lanes)
    var stream = WeightStream(
      UnsafeRawBufferPointer(rebasing: stored[first...]), lanes: turns.lanes)
    let scratch = ScratchMemory()
    var offset = 0
    for (layout, numbers) in plans {
      for channel in 0..<layout.channels {
        guard let table = tables[Int(numbers[channel])] else { continue }
        if turns == .byChannel { stream.startRound() }
        if layout.outer == 1 {
          let start = offset + channel * layout.inner
          let run = content[start..<start + layout.inner]
          stream.decode(table, into: UnsafeMutableRawBufferPointer(rebasing: run))
        } else {
          let whole = scratch.buffer(layout.outer * layout.inner)
          stream.decode(table, into: whole)
          guard let from = whole.baseAddress, let to = content.baseAddress else { continue }
          KernelTier.copyRows(
            rows: layout.outer, byteCount: layout.inner, from, stride: layout.inner,
            to: to + offset + channel * layout.inner, stride: layout.channels * layout.inner)
        }
      }
      offset += layout.count
    }
    guard stream.hasEnded else {
      throw ModelError(
        .malformedInput, "B29: a stream of weights that does not end with the last of them")
    }
  }

  // MARK: - Writing

  /// - Precondition: ``canCode(_:)`` of each.
  static func encode(_ tensors: [Tensor], _ turns: Turns) throws(ModelError) -> [UInt8] {
    var stored: [UInt8] = []
    var symbols: [UInt8] = []
    symbols.reserveCapacity(tensors.reduce(0) { $0 + $1.count })
    var runs: [(distribution: UInt8, count: Int)] = []
    let choices = try concurrently(tensors.count) { (index) throws(ModelError) in
      try distributions(of: tensors[index])
    }
    for (tensor, choice) in zip(tensors, choices) {
      let bytes = tensor.bytes
      stored.append(choice.axis)
      stored += choice.numbers
      let layout = try Layout(tensor.shape, axis: choice.axis)
      for (channel, number) in choice.numbers.enumerated() {
        for start in layout.starts(channel) {
          symbols += bytes[start..<start + layout.inner]
        }
        runs.append((number, layout.outer * layout.inner))
      }
    }
    return stored + coded(symbols, runs, turns)
  }

  /// The axis and, for each channel along it, the distribution that take the fewest bits.
  private static func distributions(
    of tensor: Tensor
  ) throws(ModelError) -> (axis: UInt8, numbers: [UInt8]) {
    var axes = [whole]
    if tensor.shape.rank > 1 { axes.append(0) }
    if let axis = tensor.quantization?.axis, axis != 0 { axes.append(UInt8(axis)) }
    var best: (axis: UInt8, numbers: [UInt8], cost: Int)?
    let bytes = tensor.bytes
    for axis in axes {
      let layout = try Layout(tensor.shape, axis: axis)
      var numbers: [UInt8] = []
      var cost = 0
      var counts = [Int](repeating: 0, count: 129)
      var search = BellSearch()
      for channel in 0..<layout.channels {
        for index in counts.indices { counts[index] = 0 }
        for start in layout.starts(channel) {
          for index in start..<start + layout.inner {
            counts[Int(Int8(bitPattern: bytes[index]).magnitude)] += 1
          }
        }
        let choice = cheapest(counts, &search)
        numbers.append(UInt8(choice.number))
        cost += choice.cost + 8 << 16
      }
      if cost < best?.cost ?? .max { best = (axis, numbers, cost) }
    }
    return best.map { ($0.axis, $0.numbers) } ?? (whole, [0])
  }

  /// The distribution by which these many of each magnitude are shortest.
  private static func cheapest(
    _ counts: [Int], _ search: inout BellSearch
  ) -> (number: Int, cost: Int) {
    let greatest = counts.lastIndex { $0 > 0 } ?? 0
    let bell = search.cheapest(counts, greatest)
    guard greatest < WeightDistribution.firstBell else { return bell }
    let cost = zip(counts, costs[greatest]).reduce(0) { $0 + $1.0 * ($1.1 ?? 0) }
    return cost <= bell.cost ? (greatest, cost) : bell
  }

  /// Finds the bell of the fewest bits for one channel after the other: of each shape from the scale that the channel before had,
  /// since costs rise on both sides of the least.
  private struct BellSearch {
    private var scales = WeightDistribution.shapes.map { _ in WeightDistribution.scales / 2 }

    mutating func cheapest(_ counts: [Int], _ greatest: Int) -> (number: Int, cost: Int) {
      var best = (number: 0, cost: Int.max)
      for shape in scales.indices {
        let first = shape * WeightDistribution.scales
        func cost(_ scale: Int) -> Int {
          guard (0..<WeightDistribution.scales).contains(scale) else { return .max }
          return BellSearch.cost(counts, greatest, bell: first + scale)
        }
        var (scale, least) = (scales[shape], cost(scales[shape]))
        for step in [-1, 1] {
          while case let next = cost(scale + step), next < least {
            (scale, least) = (scale + step, next)
          }
        }
        scales[shape] = scale
        if least < best.cost { best = (WeightDistribution.firstBell + first + scale, least) }
      }
      return best
    }

    private static func cost(_ counts: [Int], _ greatest: Int, bell: Int) -> Int {
      counts.withUnsafeBufferPointer { counts in
        bellCosts.withUnsafeBufferPointer { costs in
          var sum = 0
          for magnitude in 0...greatest {
            sum &+= counts[magnitude] &* costs[bell &* 129 &+ magnitude]
          }
          return sum
        }
      }
    }
  }

  private static let costs = concurrently(WeightDistribution.count) {
    WeightDistribution($0).costs
  }
  private static let bellCosts = costs[WeightDistribution.firstBell...].flatMap {
    $0.map { $0 ?? 0 }
  }

  /// The stream of symbols that come in these runs: states, then words.
  private static func coded(
    _ symbols: [UInt8], _ runs: [(distribution: UInt8, count: Int)], _ turns: Turns
  ) -> [UInt8] {
    var spans = [[(frequency: UInt64, start: UInt64)]](
      repeating: [], count: WeightDistribution.count)
    for run in runs where spans[Int(run.distribution)].isEmpty {
      var start: UInt64 = 0
      var own = [(frequency: UInt64, start: UInt64)](repeating: (0, 0), count: 256)
      for (index, frequency) in WeightDistribution(Int(run.distribution)).signed.enumerated() {
        own[Int(UInt8(truncatingIfNeeded: index - 128))] = (UInt64(frequency), start)
        start += UInt64(frequency)
      }
      spans[Int(run.distribution)] = own
    }
    let lanes = turns.lanes
    var states = [UInt64](repeating: UInt64(lowest), count: lanes)
    // The reader's first word is the last one written.
    var words: [UInt16] = []
    words.reserveCapacity(symbols.count / 2)
    var end = symbols.count
    for run in runs.reversed() {
      let own = spans[Int(run.distribution)]
      let first = turns == .byChannel ? end - run.count : 0
      for index in (end - run.count..<end).reversed() {
        let (frequency, start) = own[Int(symbols[index])]
        let lane = (index - first) & (lanes - 1)
        var state = states[lane]
        if state >= frequency << UInt64(32 - WeightDistribution.bits) {
          words.append(UInt16(truncatingIfNeeded: state))
          state >>= 16
        }
        // A state has 32 bits, which are divided sooner than 64.
        let (whole, rest) = UInt32(state).quotientAndRemainder(dividingBy: UInt32(frequency))
        states[lane] = UInt64(whole) << UInt64(WeightDistribution.bits) + UInt64(rest) + start
      }
      end -= run.count
    }
    var stored: [UInt8] = []
    stored.reserveCapacity(4 * lanes + 2 * words.count)
    for state in states { for byte in 0..<4 { stored.append(UInt8(state >> (8 * byte) & 0xFF)) } }
    for word in words.reversed() {
      stored.append(UInt8(word & 0xFF))
      stored.append(UInt8(word >> 8))
    }
    return stored
  }
}
