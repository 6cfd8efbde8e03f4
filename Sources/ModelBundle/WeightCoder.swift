import TensorCore

/// Weights of eight bits as one stream of an asymmetric numeral system, each channel by the distribution that
/// makes it shortest (`B29`).
enum WeightCoder {
  /// States that take turns, so that a reader works on several weights at a time.
  static let lanes = 8
  /// The axis that says that a tensor is one channel.
  static let whole = UInt8.max
  /// States are not below.
  private static let lowest: UInt32 = 1 << 16

  /// How the elements of a tensor lie in channels.
  struct Layout {
    let outer: Int
    let channels: Int
    let inner: Int

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
      stride(from: channel * inner, to: outer * channels * inner, by: max(channels * inner, 1))
    }
  }

  static func canCode(_ element: ElementType) -> Bool { element == .int8 || element == .int4 }

  // MARK: - Reading

  /// Fills `content` with tensors of these shapes, one after the other.
  ///
  /// - Throws: `malformed-input` for a stream that does not end where its last weight does.
  static func decode(
    _ stored: UnsafeRawBufferPointer, _ shapes: [Shape],
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
    var plans: [(layout: Layout, distributions: UnsafeRawBufferPointer)] = []
    var tables = [DecodingTable?](repeating: nil, count: WeightDistribution.count)
    for shape in shapes {
      let layout = try Layout(shape, axis: try bytes(1)[0])
      let numbers = try bytes(layout.channels)
      for number in numbers {
        guard number < WeightDistribution.count else {
          throw ModelError(.malformedInput, "B30: there is no distribution \(number)")
        }
        if tables[Int(number)] == nil { tables[Int(number)] = DecodingTable(Int(number)) }
      }
      plans.append((layout, numbers))
    }
    let states = try bytes(4 * lanes)
    var decoder = LaneDecoder(states, UnsafeRawBufferPointer(rebasing: stored[position...]))
    var offset = 0
    for (layout, numbers) in plans {
      for channel in 0..<layout.channels {
        guard let table = tables[Int(numbers[channel])] else { continue }
        for start in layout.starts(channel) {
          let run = content[offset + start..<offset + start + layout.inner]
          decoder.decode(into: UnsafeMutableRawBufferPointer(rebasing: run), table)
        }
      }
      offset += layout.outer * layout.channels * layout.inner
    }
    guard decoder.isAtEnd else {
      throw ModelError(
        .malformedInput, "B29: a stream of weights that does not end with the last of them")
    }
  }

  /// What a reader looks up for a slot of 2¹⁴.
  private struct DecodingTable {
    /// The integer that has each slot.
    private(set) var symbols = [UInt8](repeating: 0, count: WeightDistribution.total)
    /// By integer: frequency · 2¹⁶ + first slot.
    private(set) var spans = [UInt32](repeating: 0, count: 256)

    init(_ number: Int) {
      var start = 0
      for (index, frequency) in WeightDistribution(number).signed.enumerated() {
        let symbol = UInt8(truncatingIfNeeded: index - 128)
        spans[Int(symbol)] = UInt32(frequency << 16 | start)
        for slot in start..<start + frequency { symbols[slot] = symbol }
        start += frequency
      }
    }
  }

  /// The states of a reader and where it is in the stream.
  private struct LaneDecoder {
    private var states: [UInt32]
    private var lane = 0
    private let words: UnsafeRawBufferPointer
    private var next = 0
    private var isShort = false

    init(_ states: UnsafeRawBufferPointer, _ words: UnsafeRawBufferPointer) {
      self.states = (0..<lanes).map {
        UInt32(littleEndian: states.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self))
      }
      isShort = self.states.contains { $0 < WeightCoder.lowest }
      self.words = words
    }

    /// True where every state and every word is used up.
    var isAtEnd: Bool {
      !isShort && next == words.count && states.allSatisfy { $0 == WeightCoder.lowest }
    }

    mutating func decode(into run: UnsafeMutableRawBufferPointer, _ table: borrowing DecodingTable)
    {
      table.symbols.withUnsafeBufferPointer { symbols in
        table.spans.withUnsafeBufferPointer { spans in
          var index = 0
          while index < run.count {
            if lane == 0 { index += rounds(of: run, from: index, symbols, spans) }
            guard index < run.count else { return }
            run[index] = step(symbols, spans)
            index += 1
          }
        }
      }
    }

    /// One weight.
    private mutating func step(
      _ symbols: UnsafeBufferPointer<UInt8>, _ spans: UnsafeBufferPointer<UInt32>
    ) -> UInt8 {
      var state = states[lane]
      let symbol = LaneDecoder.symbol(&state, symbols, spans)
      if state < WeightCoder.lowest {
        if words.count - next < 2 {
          isShort = true
        } else {
          LaneDecoder.refill(&state, words.baseAddress, &next)
        }
      }
      states[lane] = state
      lane = (lane + 1) % lanes
      return symbol
    }

    /// As many weights as whole rounds of the lanes give while words surely last, the states in registers. Returns
    /// their number.
    private mutating func rounds(
      of run: UnsafeMutableRawBufferPointer, from first: Int,
      _ symbols: UnsafeBufferPointer<UInt8>, _ spans: UnsafeBufferPointer<UInt32>
    ) -> Int {
      let count = min(run.count - first, (words.count - next) / 2) / lanes * lanes
      guard count > 0, let start = run.baseAddress else { return 0 }
      let (words, out) = (words.baseAddress, start + first)
      var next = next
      var (s0, s1, s2, s3) = (states[0], states[1], states[2], states[3])
      var (s4, s5, s6, s7) = (states[4], states[5], states[6], states[7])
      for index in stride(from: 0, to: count, by: lanes) {
        var eight: UInt64 = 0
        eight |= UInt64(LaneDecoder.symbol(&s0, symbols, spans))
        LaneDecoder.refill(&s0, words, &next)
        eight |= UInt64(LaneDecoder.symbol(&s1, symbols, spans)) &<< 8
        LaneDecoder.refill(&s1, words, &next)
        eight |= UInt64(LaneDecoder.symbol(&s2, symbols, spans)) &<< 16
        LaneDecoder.refill(&s2, words, &next)
        eight |= UInt64(LaneDecoder.symbol(&s3, symbols, spans)) &<< 24
        LaneDecoder.refill(&s3, words, &next)
        eight |= UInt64(LaneDecoder.symbol(&s4, symbols, spans)) &<< 32
        LaneDecoder.refill(&s4, words, &next)
        eight |= UInt64(LaneDecoder.symbol(&s5, symbols, spans)) &<< 40
        LaneDecoder.refill(&s5, words, &next)
        eight |= UInt64(LaneDecoder.symbol(&s6, symbols, spans)) &<< 48
        LaneDecoder.refill(&s6, words, &next)
        eight |= UInt64(LaneDecoder.symbol(&s7, symbols, spans)) &<< 56
        LaneDecoder.refill(&s7, words, &next)
        out.storeBytes(of: eight.littleEndian, toByteOffset: index, as: UInt64.self)
      }
      self.next = next
      states = [s0, s1, s2, s3, s4, s5, s6, s7]
      return count
    }

    /// The symbol of a state, which becomes the state before it has its next word.
    @inline(__always)
    private static func symbol(
      _ state: inout UInt32, _ symbols: UnsafeBufferPointer<UInt8>,
      _ spans: UnsafeBufferPointer<UInt32>
    ) -> UInt8 {
      let slot = state & UInt32(WeightDistribution.total - 1)
      let symbol = symbols[Int(slot)]
      let span = spans[Int(symbol)]
      state = (span >> 16) &* (state >> UInt32(WeightDistribution.bits)) &+ slot &- (span & 0xFFFF)
      return symbol
    }

    /// Takes the next word where the state needs one; it is read in any case.
    @inline(__always)
    private static func refill(
      _ state: inout UInt32, _ words: UnsafeRawPointer?, _ next: inout Int
    ) {
      guard let words else { return }
      let isBelow = state < WeightCoder.lowest
      let word = words.loadUnaligned(fromByteOffset: next, as: UInt16.self)
      let filled = state &<< 16 | UInt32(UInt16(littleEndian: word))
      state = isBelow ? filled : state
      next &+= isBelow ? 2 : 0
    }
  }

  // MARK: - Writing

  /// - Precondition: ``canCode(_:)`` of each.
  static func encode(_ tensors: [Tensor]) throws(ModelError) -> [UInt8] {
    var stored: [UInt8] = []
    var symbols: [UInt8] = []
    symbols.reserveCapacity(tensors.reduce(0) { $0 + $1.count })
    var runs: [(distribution: UInt8, count: Int)] = []
    for tensor in tensors {
      let choice = try distributions(of: tensor)
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
    return stored + coded(symbols, runs)
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

  private static let costs = (0..<WeightDistribution.count).map { WeightDistribution($0).costs }
  private static let bellCosts = costs[WeightDistribution.firstBell...].flatMap {
    $0.map { $0 ?? 0 }
  }

  /// The stream of symbols that come in these runs: states, then words.
  private static func coded(
    _ symbols: [UInt8], _ runs: [(distribution: UInt8, count: Int)]
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
    var states = [UInt64](repeating: UInt64(lowest), count: lanes)
    // The reader's first word is the last one written.
    var words: [UInt16] = []
    words.reserveCapacity(symbols.count / 2)
    var end = symbols.count
    for run in runs.reversed() {
      let own = spans[Int(run.distribution)]
      for index in (end - run.count..<end).reversed() {
        let (frequency, start) = own[Int(symbols[index])]
        var state = states[index & (lanes - 1)]
        if state >= frequency << UInt64(32 - WeightDistribution.bits) {
          words.append(UInt16(truncatingIfNeeded: state))
          state >>= 16
        }
        states[index & (lanes - 1)] =
          (state / frequency) << UInt64(WeightDistribution.bits) + state % frequency + start
      }
      end -= run.count
    }
    var stored: [UInt8] = []
    stored.reserveCapacity(4 * lanes + 2 * words.count)
    for state in states { for byte in 0..<4 { stored.append(UInt8(state >> (8 * byte) & 0xFF)) } }
    for word in words.reversed() { stored += [UInt8(word & 0xFF), UInt8(word >> 8)] }
    return stored
  }
}
