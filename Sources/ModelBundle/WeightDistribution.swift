import TensorCore

/// How often each integer of eight bits is among the weights of a channel, in 2¹⁴ths (`B30`).
///
/// Every distribution is a formula of its number in integers, so that a bundle needs one byte a channel for it and
/// every reader has the same.
struct WeightDistribution: Sendable {
  static let bits = 14
  static let total = 1 << bits
  /// Distributions are numbered from 0.
  static let count = 254
  /// Numbers below are uniform.
  static let firstBell = 128
  /// Scales of each shape, in quarters of an octave from ``narrowest``.
  static let scales = 42
  static let narrowest = -6
  /// The power that the magnitude is raised to; 1 is Laplace's distribution and 2 is Gauss's.
  static let shapes = [1, 2, 4]

  /// Of magnitudes from 1.
  private static let logarithms = (1...128).map(BinaryFraction.logarithm)

  /// Of magnitudes 0…128.
  private(set) var frequencies: [Int]

  /// - Precondition: `number` is below ``count``.
  init(_ number: Int) {
    precondition(number < WeightDistribution.count)
    guard number >= WeightDistribution.firstBell else {
      let each = WeightDistribution.total / (2 * number + 1)
      frequencies = (0...128).map { $0 <= number ? each : 0 }
      frequencies[0] = WeightDistribution.total - 2 * number * each
      return
    }
    let bell = number - WeightDistribution.firstBell
    let shape = WeightDistribution.shapes[bell / WeightDistribution.scales]
    let scale = (bell % WeightDistribution.scales + WeightDistribution.narrowest) << 14
    let weights = (0...128).map { magnitude in
      magnitude == 0
        ? BinaryFraction.one
        : BinaryFraction.halved(
          by: BinaryFraction.power(shape * (WeightDistribution.logarithms[magnitude - 1] - scale)))
    }
    // −128 and 0…127 come once, the others twice.
    let sum = weights[0] + weights[128] + 2 * weights[1...127].reduce(0, +)
    frequencies = weights.map { 1 + $0 * (WeightDistribution.total - 256) / sum }
    let rest = frequencies[128] + 2 * frequencies[1...127].reduce(0, +)
    frequencies[0] = WeightDistribution.total - rest
  }

  /// Of −128…127, in order.
  var signed: [Int] { (-128...127).map { frequencies[abs($0)] } }

  /// Bits that magnitudes 0…128 take, in 65536ths; nil for what cannot occur.
  var costs: [Int?] {
    frequencies.map {
      $0 == 0 ? nil : WeightDistribution.bits << 16 - BinaryFraction.logarithm($0)
    }
  }
}

/// Logarithms and powers of two with 16 bits after the point, in integers alone (`B30`).
enum BinaryFraction {
  /// What ``halved(by:)`` gives for 0.
  static let one = 1 << 30

  /// The logarithm of a whole number from 1 to 2³¹.
  static func logarithm(_ number: Int) -> Int {
    let whole = number.bitWidth - 1 - number.leadingZeroBitCount
    var square = UInt64(number) << UInt64(31 - whole)
    var result = whole
    for _ in 0..<16 {
      square = (square * square) >> 31
      result <<= 1
      if square >> 32 != 0 {
        square >>= 1
        result += 1
      }
    }
    return result
  }

  /// 2³⁰ · 2^(−x) of x from 0, of 65536ths.
  static func halved(by x: Int) -> Int {
    guard x < 31 << 16 else { return 0 }
    var result = one
    for (index, root) in roots.enumerated() where x >> (15 - index) & 1 == 1 {
      result = (result * root) >> 30
    }
    return result >> (x >> 16)
  }

  /// 2^x of 65536ths, in 65536ths; a number that ``halved(by:)`` makes 0 of where x is large.
  static func power(_ x: Int) -> Int {
    let whole = (x + 0xFFFF) >> 16
    guard whole <= 5 else { return 32 << 16 }
    return halved(by: whole << 16 - x) >> (14 - whole)
  }

  /// 2³⁰ · 2^(−1/2), 2³⁰ · 2^(−1/4), …: each the root of the one before.
  private static let roots: [Int] = {
    var roots: [Int] = []
    var last = one / 2
    for _ in 0..<16 {
      last = squareRoot(last << 30)
      roots.append(last)
    }
    return roots
  }()

  /// The whole part of a root.
  private static func squareRoot(_ number: Int) -> Int {
    var root = 0
    for bit in (0..<31).reversed() where (root | 1 << bit) * (root | 1 << bit) <= number {
      root |= 1 << bit
    }
    return root
  }
}
