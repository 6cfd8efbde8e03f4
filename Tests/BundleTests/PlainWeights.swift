import Foundation

/// `B29`, `B30`, `B80`: weights, as plainly as the document says them.
struct PlainWeights {
  private let bytes: [UInt8]
  private var states: [Int] = []
  private var axes: [Int] = []
  private var position = 0

  private init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// The tensors of these extents, one after the other; `B80` where many states begin anew with each channel.
  static func read(_ bytes: [UInt8], _ shapes: [[Int]], many: Bool = false) throws -> Data {
    var weights = PlainWeights(bytes)
    return try weights.read(shapes, many: many)
  }

  /// `B53`: products of quotients and the multipliers of their groups.
  static func readGroups(_ bytes: [UInt8], _ shapes: [[Int]]) throws -> Data {
    try require("B53", bytes.count >= 2 + shapes.count)
    let size = Int(bytes[0]) + 256 * Int(bytes[1])
    try require("B53", size > 0)
    let axes = bytes[2..<2 + shapes.count].map { Int($0) }
    var coded: [[Int]] = []
    for (shape, axis) in zip(shapes, axes) {
      try require("B53", axis == 255 || axis < shape.count)
      let channels = axis == 255 ? 1 : shape[axis]
      let own = shape.reduce(1, *) / max(channels, 1)
      coded += [shape, [channels, (own + size - 1) / size]]
    }
    let parts = [UInt8](try read(Array(bytes[(2 + shapes.count)...]), coded))
    var (all, start) = (Data(), 0)
    for (index, shape) in shapes.enumerated() {
      let count = shape.reduce(1, *)
      let multipliers = coded[2 * index + 1]
      let inner = axes[index] == 255 ? count : shape[(axes[index] + 1)...].reduce(1, *)
      var seen = [Int](repeating: 0, count: multipliers[0])
      for element in 0..<count {
        let channel = element / max(inner, 1) % multipliers[0]
        let group = channel * multipliers[1] + seen[channel] / size
        seen[channel] += 1
        let quotient = Int(Int8(bitPattern: parts[start + element]))
        let multiplier = Int(Int8(bitPattern: parts[start + count + group]))
        try require("B53", multiplier > 0 && (-128...127).contains(quotient * multiplier))
        all.append(UInt8(bitPattern: Int8(quotient * multiplier)))
      }
      start += count + multipliers[0] * multipliers[1]
    }
    return all
  }

  private mutating func little(_ count: Int) throws -> Int {
    try require("B29", position + count <= bytes.count)
    defer { position += count }
    return (0..<count).reduce(0) { $0 | Int(bytes[position + $1]) << (8 * $1) }
  }

  private mutating func read(_ shapes: [[Int]], many: Bool) throws -> Data {
    var channels: [[[Int]]] = []
    for shape in shapes {
      let axis = try little(1)
      try require("B29", axis == 255 || axis < shape.count)
      let count = axis == 255 ? 1 : shape[axis]
      channels.append(
        try (0..<count).map { _ in
          let number = try little(1)
          try require("B30", number < 254)
          return PlainWeights.frequencies(number)
        })
      axes.append(axis)
    }
    for _ in 0..<(many ? 64 : 8) {
      states.append(try little(4))
      try require("B29", states[states.count - 1] >= 1 << 16)
    }
    var number = 0
    var all = Data()
    for ((shape, axis), distributions) in zip(zip(shapes, axes), channels) {
      let count = shape.reduce(1, *)
      let inner = axis == 255 ? count : shape[(axis + 1)...].reduce(1, *)
      var tensor = [UInt8](repeating: 0, count: count)
      for (channel, frequencies) in distributions.enumerated() {
        if many { number = 0 }
        for index in 0..<count where index / max(inner, 1) % distributions.count == channel {
          tensor[index] = UInt8(bitPattern: Int8(try next(number % states.count, frequencies)))
          number += 1
        }
      }
      all += tensor
    }
    try require("B29", position == bytes.count && states.allSatisfy { $0 == 1 << 16 })
    return all
  }

  private mutating func next(_ lane: Int, _ frequencies: [Int]) throws -> Int {
    let slot = states[lane] % (1 << 14)
    var start = 0
    var value = -128
    while start + frequencies[value + 128] <= slot {
      start += frequencies[value + 128]
      value += 1
    }
    states[lane] = frequencies[value + 128] * (states[lane] / (1 << 14)) + slot - start
    if states[lane] < 1 << 16 { states[lane] = states[lane] << 16 | (try little(2)) }
    return value
  }

  /// Of −128…127.
  static func frequencies(_ number: Int) -> [Int] {
    var table = [Int](repeating: 0, count: 256)
    if number < 128 {
      for value in -number...number { table[value + 128] = (1 << 14) / (2 * number + 1) }
    } else {
      let bell = number - 128
      let weights = (-128...127).map { value in
        value == 0
          ? 1 << 30
          : half(power([1, 2, 4][bell / 42] * (log(abs(value)) - (bell % 42 - 6) * 1 << 14)))
      }
      let sum = weights.reduce(0, +)
      for index in 0..<256 { table[index] = 1 + weights[index] * ((1 << 14) - 256) / sum }
    }
    table[128] = 0
    table[128] = 1 << 14 - table.reduce(0, +)
    return table
  }

  private static func log(_ number: Int) -> Int {
    var exponent = 0
    while number >> (exponent + 1) > 0 { exponent += 1 }
    var y = number << (31 - exponent)
    for _ in 0..<16 {
      y = Int((UInt64(y) * UInt64(y)) >> 31)
      exponent *= 2
      if y >= 1 << 32 {
        y /= 2
        exponent += 1
      }
    }
    return exponent
  }

  private static func half(_ x: Int) -> Int {
    if x >= 31 << 16 { return 0 }
    var y = 1 << 30
    var root = 1 << 29
    for place in 1...16 {
      let square = root << 30
      root = Int(Double(square).squareRoot())
      while root * root > square { root -= 1 }
      while (root + 1) * (root + 1) <= square { root += 1 }
      if x >> (16 - place) & 1 == 1 { y = (y * root) >> 30 }
    }
    return y >> (x >> 16)
  }

  private static func power(_ x: Int) -> Int {
    let n = Int((Double(x) / 65536).rounded(.up))
    return n > 5 ? 1 << 21 : half(n << 16 - x) / (1 << min(14 - n, 62))
  }
}
