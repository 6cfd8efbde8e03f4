import Foundation
import ModelKernels
import Testing

@Suite struct FloatKernelTests {
  private static let points: [Float] =
    stride(from: Float(-20), through: 20, by: 0.037).map { $0 }
    + [
      0, -0.0, .infinity, -.infinity, .nan, 0x1p-140, -0x1p-140, 1e-30, 88.7, 89, -87.4, -103, -104,
      3e38,
    ]

  private static func apply(
    _ tier: KernelTier, _ function: UnaryFunction, _ x: [Float], _ p0: Float = 0, _ p1: Float = 0
  ) -> [Float] {
    var y = [Float](repeating: 0, count: x.count)
    tier.apply(function, count: x.count, x, to: &y, p0: p0, p1: p1)
    return y
  }

  /// Same bits, every NaN counting as the same.
  private static func same(_ a: [Float], _ b: [Float]) -> Bool {
    a.count == b.count
      && zip(a, b).allSatisfy { $0.bitPattern == $1.bitPattern || ($0.isNaN && $1.isNaN) }
  }

  @Test(arguments: UnaryFunction.allCases) func tiersAgreeOnFunctions(function: UnaryFunction) {
    guard let plain = KernelTier.available.last else { return }
    for tier in KernelTier.available {
      for count in lengths + [Self.points.count] {
        let x = Array(Self.points.prefix(count))
        #expect(
          Self.same(
            Self.apply(tier, function, x, 0.2, 0.6), Self.apply(plain, function, x, 0.2, 0.6)),
          "\(tier), \(count) values")
      }
    }
  }

  /// The bounds that `Q35`–`Q41` promise.
  @Test func functionsAreAccurate() {
    let cases: [(UnaryFunction, Double, @Sendable (Double) -> Double)] = [
      (.exp, 2, { exp($0) }), (.log, 2, { log($0) }), (.sigmoid, 3, { 1 / (1 + exp(-$0)) }),
      (.tanh, 2, { tanh($0) }), (.erf, 3, { erf($0) }),
      (.softplus, 3, { max($0, 0) + log1p(exp(-abs($0))) }),
    ]
    for (function, bound, exact) in cases {
      for (x, y) in zip(Self.points, Self.apply(.best, function, Self.points)) {
        let right = exact(Double(x))
        guard right.isFinite, abs(right) >= Double(Float.leastNormalMagnitude),
          abs(right) <= Double(Float.greatestFiniteMagnitude)
        else {
          let rounded = Float(right)
          #expect(y == rounded || y.isNaN == rounded.isNaN, "\(function)(\(x)) = \(y)")
          continue
        }
        #expect(
          abs(Double(y) - right) <= bound * Double(Float(right).ulp),
          "\(function)(\(x)) = \(y), \(right)")
      }
    }
    for x in Self.points where x.magnitude < 100 {
      let y = Self.apply(.best, .gelu, [x])[0]
      let right = 0.5 * Double(x) * erfc(-Double(x) * 0.5.squareRoot())
      #expect(abs(Double(y) - right) <= 2e-7 * (1 + Double(abs(x))))
    }
  }

  @Test(arguments: KernelTier.available) func binaryFollowsTheFormula(tier: KernelTier) {
    var samples = Samples(1)
    let formulas: [(BinaryFunction, @Sendable (Float, Float) -> Float)] = [
      (.add, { $0 + $1 }), (.subtract, { $0 - $1 }), (.multiply, { $0 * $1 }),
      (.divide, { $0 / $1 }), (.minimum, { $0.isNaN || $0 < $1 ? $0 : $1 }),
      (.maximum, { $0.isNaN || $0 > $1 ? $0 : $1 }),
      (.prelu, { $0 < 0 ? $0 * $1 : $0 }), (.gate, { $1 > 0 ? $0 : 0 }),
    ]
    #expect(formulas.map(\.0) == BinaryFunction.allCases)
    for (function, formula) in formulas {
      for (p, q) in [(1, 1), (1, 0), (0, 1), (0, 0)] {
        for count in lengths where count > 0 {
          var (left, b) = (samples.floats(2 * count, -4...4), samples.floats(count, 1...2))
          left[count / 2] = .nan
          b[count / 3] = count < 5 ? b[count / 3] : .nan
          let a = KernelMemory(left)
          let held = KernelMemory(b)
          let (x, right) = (a.elements(of: Float.self), held.elements(of: Float.self))
          var y = [Float](repeating: 0, count: 2 * count)
          tier.combine(
            function, rows: 2, columns: count, RowOperand(x, row: count, column: p),
            RowOperand(right, row: 0, column: q), to: &y, row: count)
          let expected = (0..<2 * count).map {
            formula(x[$0 / count * count + $0 % count * p], right[$0 % count * q])
          }
          #expect(Self.same(y, expected), "\(function), \(count) columns")
        }
      }
    }
  }

  @Test(arguments: KernelTier.available) func whatIsNoNumberStaysInRowsAndLimits(tier: KernelTier) {
    var samples = Samples(6)
    for count in lengths where count > 0 {
      for place in Set([0, count / 2, count - 1]) {
        var x = samples.floats(count, -5...5)
        x[place] = .nan
        for reduction in [RowReduction.maximum, .minimum] {
          var y: Float = 0
          tier.reduce(reduction, rows: 1, columns: count, x, row: 0, to: &y)
          #expect(y.isNaN, "\(reduction) of \(count), \(place)")
        }
        let limited = Self.apply(tier, .clip, x, -1, 1)
        #expect(Self.same(limited, x.map { $0.isNaN ? $0 : min(max($0, -1), 1) }))
        var y = x
        tier.normalize(.l2, rows: 1, columns: count, x, row: 0, epsilon: 1e-12, to: &y, row: 0)
        #expect(y.allSatisfy { $0.isNaN })
      }
    }
  }

  /// `Q30`, written down plainly.
  private static func sum(_ values: [Float]) -> Float {
    var lanes = [Float](repeating: 0, count: 16)
    for (index, value) in values.enumerated() { lanes[index % 16] += value }
    for half in [8, 4, 2, 1] { for j in 0..<half { lanes[j] += lanes[j + half] } }
    return lanes[0]
  }

  @Test(arguments: KernelTier.available) func rowsUseTheFixedOrder(tier: KernelTier) {
    var samples = Samples(2)
    for count in lengths where count > 0 {
      let x = samples.floats(count, -5...5)
      let reduced = { (reduction: RowReduction) in
        var y: Float = 0
        tier.reduce(reduction, rows: 1, columns: count, x, row: 0, to: &y)
        return y
      }
      let total = Self.sum(x)
      let squares = Self.sum(x.map { $0 * $0 })
      #expect(reduced(.sum) == total)
      #expect(reduced(.mean) == total / Float(count))
      #expect(reduced(.maximum) == x.max())
      #expect(reduced(.minimum) == x.min())
      #expect(reduced(.sumOfSquares) == squares)
      #expect(reduced(.l2) == squares.squareRoot())

      var y = x
      let powers = Self.apply(tier, .exp, x.map { $0 - (x.max() ?? 0) })
      tier.softmax(rows: 1, columns: count, x, row: 0, to: &y, row: 0)
      #expect(y == powers.map { $0 / Self.sum(powers) })
      tier.softmax(rows: 1, columns: count, x, row: 0, to: &y, row: 0, logarithm: true)
      let logarithm = Self.apply(tier, .log, [Self.sum(powers)])[0]
      #expect(y == x.map { ($0 - (x.max() ?? 0)) - logarithm })

      let gamma = KernelMemory(samples.floats(count, 0...2))
      let beta = KernelMemory(samples.floats(count, -1...1))
      let (g, b) = (gamma.elements(of: Float.self), beta.elements(of: Float.self))
      tier.normalize(
        .layer, rows: 1, columns: count, x, row: 0, epsilon: 1e-5, gamma: RowOperand(g, row: 0),
        beta: RowOperand(b, row: 0), to: &y, row: 0)
      let d = x.map { $0 - total / Float(count) }
      let r = 1 / (Self.sum(d.map { $0 * $0 }) / Float(count) + 1e-5).squareRoot()
      #expect(y == d.indices.map { d[$0] * r * g[$0] + b[$0] })
      tier.normalize(.l2, rows: 1, columns: count, x, row: 0, epsilon: 1e-12, to: &y, row: 0)
      #expect(y == x.map { $0 / squares.squareRoot() })
      tier.normalize(.rms, rows: 1, columns: count, x, row: 0, epsilon: 1e-6, to: &y, row: 0)
      let s = 1 / (squares / Float(count) + 1e-6).squareRoot()
      #expect(y == x.map { $0 * s })
    }
  }

  @Test(arguments: KernelTier.available) func softmaxOfManyRowsIsThatOfEach(tier: KernelTier) {
    var samples = Samples(4)
    for (rows, columns) in [(4, 1), (5, 3), (16, 16), (17, 27), (40, 33), (20, 64), (18, 65)] {
      let x = samples.floats(rows * columns, -9...9)
      var expected: [Float] = []
      for row in 0..<rows {
        var y = [Float](repeating: 0, count: columns)
        tier.softmax(
          rows: 1, columns: columns, Array(x[row * columns..<(row + 1) * columns]), row: 0, to: &y,
          row: 0)
        expected += y
      }
      let y = KernelMemory(x)
      let values = y.address.assumingMemoryBound(to: Float.self)
      tier.softmax(
        rows: rows, columns: columns, values, row: columns, to: values, row: columns)
      #expect((0..<rows * columns).allSatisfy { values[$0] == expected[$0] }, "\(rows)×\(columns)")
    }
  }

  @Test(arguments: KernelTier.available) func productsAreSummedInOrder(tier: KernelTier) {
    var samples = Samples(3)
    for (m, n, k) in [
      (1, 1, 1), (3, 5, 0), (7, 33, 20), (9, 16, 300), (12, 64, 31), (2, 70, 260), (6, 8, 3),
      (27, 40, 64),
    ] {
      for (transposeA, transposeB, accumulate) in [
        (false, false, false), (true, false, true), (false, true, false), (true, true, true),
      ] {
        let (a, b) = (samples.floats(m * k, -1...1), samples.floats(k * n, -1...1))
        let start = samples.floats(m * n, -1...1)
        var c = start
        tier.multiply(
          m: m, n: n, k: k, a: a, aStride: transposeA ? m : k, transposeA: transposeA, b: b,
          bStride: transposeB ? k : n, transposeB: transposeB, c: &c, cStride: n,
          accumulate: accumulate)
        var expected = start
        for i in 0..<m {
          for j in 0..<n {
            var sum = accumulate ? start[i * n + j] : 0
            for p in 0..<k {
              let product =
                a[transposeA ? p * m + i : i * k + p] * b[transposeB ? j * k + p : p * n + j]
              sum += product
            }
            expected[i * n + j] = sum
          }
        }
        #expect(c == expected, "\(m)×\(n)×\(k)")
        c = start
        tier.multiply(
          m: m, n: n, k: k, a: a, aStride: transposeA ? m : k, transposeA: transposeA, b: b,
          bStride: transposeB ? k : n, transposeB: transposeB, c: &c, cStride: n,
          accumulate: accumulate, isFused: true)
        let bound = Float(k + 1) * 4 * Float.ulpOfOne
        let isClose = zip(c, expected).allSatisfy { abs($0 - $1) <= bound }
        #expect(isClose, "\(m)×\(n)×\(k), fused")
      }
    }
  }
}
