/// Float32 functions by the polynomials of `formats/quantization.md`, written as they stand there: what
/// integer references use where a formula has a function of real numbers. Every operation rounds once.
enum FixedFunctions {
  /// `Q35`
  static func exp(_ x: Float) -> Float {
    guard !x.isNaN else { return x }
    let limited = IntegerArithmetic.minimum(IntegerArithmetic.maximum(x, -150), 130)
    let k = (limited * 0x1.715476p+0).rounded(.toNearestOrEven)
    var r = limited - k * 0x1.63p-1
    r = r - k * -0x1.bd0106p-13
    let inverses: [Float] = [
      1.0 / 5040, 1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5, 1, 1,
    ]
    var p = inverses[0]
    for coefficient in inverses.dropFirst() { p = p * r + coefficient }
    let half = Int(k) >> 1
    return (p * powerOfTwo(half)) * powerOfTwo(Int(k) - half)
  }

  private static func powerOfTwo(_ exponent: Int) -> Float {
    Float(sign: .plus, exponent: exponent, significand: 1)
  }

  /// `Q31`
  static func softmax(_ row: [Float]) -> [Float] {
    let greatest = reduced(row, from: -.infinity, IntegerArithmetic.maximum)
    let powers = row.map { exp($0 - greatest) }
    let sum = reduced(powers, from: 0, +)
    return powers.map { $0 / sum }
  }

  /// `Q30`
  private static func reduced(
    _ row: [Float], from start: Float, _ combine: (Float, Float) -> Float
  ) -> Float {
    var lanes = [Float](repeating: start, count: 16)
    for (index, x) in row.enumerated() { lanes[index % 16] = combine(lanes[index % 16], x) }
    for half in [8, 4, 2, 1] {
      for lane in 0..<half { lanes[lane] = combine(lanes[lane], lanes[lane + half]) }
    }
    return lanes[0]
  }

  /// `Q37`
  static func sigmoid(_ x: Float) -> Float {
    let e = exp(-x.magnitude)
    return (x < 0 ? e : 1) / (1 + e)
  }

  /// `Q38`
  static func tanh(_ x: Float) -> Float {
    let a = x.magnitude
    if a < 0.625 {
      let z = x * x
      var p: Float = -0x1.75e1cep-8
      for coefficient: Float in [
        0x1.52269cp-6, -0x1.b83c5ap-5, 0x1.110726p-3, -0x1.555532p-2,
      ] { p = p * z + coefficient }
      return x + (x * z) * p
    }
    let large = 1 - 2 / (exp(2 * a) + 1)
    return Float(signOf: x, magnitudeOf: large)
  }

  /// `Q39`
  static func erf(_ x: Float) -> Float {
    let a = x.magnitude
    func polynomial(_ z: Float, _ coefficients: [Float]) -> Float {
      coefficients.dropFirst().reduce(coefficients[0]) { $0 * z + $1 }
    }
    if a < 1 {
      let p = polynomial(
        x * x,
        [
          -0x1.274026p-11, 0x1.4246fcp-8, -0x1.b5a366p-6, 0x1.ce0944p-4, -0x1.812674p-2,
          0x1.06eba2p-3,
        ])
      return x + x * p
    }
    let l = polynomial(
      a > 4 ? 4 : a,
      [
        -0x1.6c066cp-16, 0x1.ceead0p-12, -0x1.1398f0p-8, 0x1.9d0bcep-6, -0x1.bc18ccp-4,
        -0x1.4434f0p-1, -0x1.212c2cp+0, 0x1.8b3e28p-13,
      ])
    return Float(signOf: x, magnitudeOf: 1 - exp(l))
  }

  /// The activation of an epilogue that is a function of real numbers (`Q37`–`Q40`).
  static func apply(_ epilogue: Epilogue, _ x: Float) -> Float {
    switch epilogue.activation {
    case .sigmoid: return sigmoid(x)
    case .tanh: return tanh(x)
    case .gelu: return (0.5 * x) * (1 + erf(x * 0x1.6a09e6p-1))
    case .silu: return x * sigmoid(x)
    case .hardSwish:
      let t = IntegerArithmetic.minimum(1, Float(1.0 / 6) * x + 0.5)
      return x * IntegerArithmetic.maximum(0, t)
    case .clip:
      guard !x.isNaN else { return x }
      return IntegerArithmetic.minimum(
        IntegerArithmetic.maximum(x, epilogue.lower), epilogue.upper)
    case .none, .relu, .leakyRelu, .prelu: return x
    }
  }
}
