import TensorCore

/// Weights that are multiples of a whole number within each group of neighbours, as quotients and multipliers that are
/// coded like other weights (`B53`).
enum GroupCoder {
  /// Groups that a writer looks for, the smallest first.
  private static let sizes = [16, 32, 64, 128]

  static func canCode(_ element: ElementType) -> Bool { element == .int8 }

  /// The shape of the multipliers of a tensor: of each channel those of its groups.
  private static func multipliers(
    _ layout: WeightCoder.Layout, size: Int
  ) throws(ModelError) -> Shape {
    try Shape([layout.channels, (layout.outer * layout.inner + size - 1) / size])
  }

  /// Calls `body` with the place of each element and the number of its group, channel by channel.
  private static func forEach(
    _ layout: WeightCoder.Layout, size: Int, _ body: (_ element: Int, _ group: Int) -> Void
  ) {
    var group = 0
    for channel in 0..<layout.channels {
      var left = size
      for start in layout.starts(channel) {
        for element in start..<start + layout.inner {
          if left == 0 {
            group += 1
            left = size
          }
          body(element, group)
          left -= 1
        }
      }
      if layout.outer * layout.inner > 0 { group += 1 }
    }
  }

  // MARK: - Reading

  /// Fills `content` with tensors of these shapes, one after the other.
  static func decode(
    _ stored: UnsafeRawBufferPointer, _ shapes: [Shape],
    into content: UnsafeMutableRawBufferPointer
  ) throws(ModelError) {
    let head = 2 + shapes.count
    guard stored.count >= head else {
      throw ModelError(.malformedInput, "B53: groups of weights of \(stored.count) bytes")
    }
    let size = Int(stored[0]) | Int(stored[1]) << 8
    guard size > 0 else { throw ModelError(.malformedInput, "B53: groups of 0 weights") }
    var layouts: [WeightCoder.Layout] = []
    var coded: [Shape] = []
    for (index, shape) in shapes.enumerated() {
      let layout = try WeightCoder.Layout(shape, axis: stored[2 + index])
      layouts.append(layout)
      coded += [shape, try multipliers(layout, size: size)]
    }
    // As many multipliers as weights at most.
    let whole = coded.reduce(0) { $0 + $1.count }
    let parts = UnsafeMutableRawBufferPointer.allocate(byteCount: max(whole, 1), alignment: 64)
    defer { parts.deallocate() }
    try WeightCoder.decode(
      UnsafeRawBufferPointer(rebasing: stored[head...]), coded, .throughout,
      into: UnsafeMutableRawBufferPointer(rebasing: parts[..<whole]))
    var (from, to) = (0, 0)
    var fits = true
    for (shape, layout) in zip(shapes, layouts) {
      let groups = from + shape.count
      forEach(layout, size: size) { element, group in
        let quotient = Int(Int8(bitPattern: parts[from + element]))
        let multiplier = Int(Int8(bitPattern: parts[groups + group]))
        let product = Int8(exactly: quotient * multiplier)
        fits = fits && product != nil && multiplier > 0
        content[to + element] = UInt8(bitPattern: product ?? 0)
      }
      from = groups + (try multipliers(layout, size: size)).count
      to += shape.count
    }
    guard fits else {
      throw ModelError(.malformedInput, "B53: a weight that is no product of eight bits")
    }
  }

  // MARK: - Writing

  /// The shortest form by any size of groups; nil where most groups have nothing in common.
  static func encode(_ tensors: [Tensor]) throws(ModelError) -> [UInt8]? {
    // What neighbours do not have in common, larger groups do not have either.
    guard let finest = try encode(tensors, size: sizes[0]) else { return nil }
    let others = try concurrently(sizes.count - 1) { (index) throws(ModelError) in
      try encode(tensors, size: sizes[index + 1])
    }
    return others.compactMap(\.self).reduce(finest) { $1.count < $0.count ? $1 : $0 }
  }

  private static func encode(_ tensors: [Tensor], size: Int) throws(ModelError) -> [UInt8]? {
    var stored = [UInt8(size & 0xFF), UInt8(size >> 8)]
    var groups: [(layout: WeightCoder.Layout, shape: Shape, divisors: [Int])] = []
    for tensor in tensors {
      let axis = tensor.quantization?.axis.map { UInt8($0) } ?? WeightCoder.whole
      stored.append(axis)
      let layout = try WeightCoder.Layout(tensor.shape, axis: axis)
      let shape = try multipliers(layout, size: size)
      groups.append((layout, shape, divisors(of: tensor, layout, size: size, count: shape.count)))
    }
    let common = groups.reduce(0) { $0 + $1.divisors.count { $0 > 1 } }
    guard 2 * common > groups.reduce(0, { $0 + $1.divisors.count }) else { return nil }
    var coded: [Tensor] = []
    for (tensor, group) in zip(tensors, groups) {
      // −128 has no divisor of eight bits but halves of it.
      let divisors = group.divisors.map { $0 == 128 ? 64 : max($0, 1) }
      let quotients = Tensor(
        .int8, tensor.shape, quantization: tensor.quantization,
        writing: { bytes in
          tensor.withElements(of: Int8.self) { elements in
            forEach(group.layout, size: size) { element, group in
              bytes[element] = UInt8(
                bitPattern: Int8(truncatingIfNeeded: Int(elements[element]) / divisors[group]))
            }
          }
        })
      coded += [quotients, Tensor(group.shape, divisors.map { Int8(truncatingIfNeeded: $0) })]
    }
    return stored + (try WeightCoder.encode(coded, .throughout))
  }

  /// The greatest common divisor of each group; 0 where all of it is.
  private static func divisors(
    of tensor: Tensor, _ layout: WeightCoder.Layout, size: Int, count: Int
  ) -> [Int] {
    var divisors = [Int](repeating: 0, count: count)
    tensor.withElements(of: Int8.self) { elements in
      forEach(layout, size: size) { element, group in
        if divisors[group] != 1 {
          divisors[group] = divisor(divisors[group], Int(elements[element].magnitude))
        }
      }
    }
    return divisors
  }

  /// The greatest common divisor; that of 0 and a number is the number.
  private static func divisor(_ a: Int, _ b: Int) -> Int {
    var (a, b) = (a, b)
    while b != 0 { (a, b) = (b, a % b) }
    return a
  }
}
