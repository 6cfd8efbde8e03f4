import ModelKernels
import Testing

@Suite struct IntegerKernelTests {
  private static let clamps = [
    IntegerClamp(zeroPoint: 0), IntegerClamp(zeroPoint: -128, low: -100, high: 90),
    IntegerClamp(zeroPoint: 127, table: (0..<256).map { Int8(truncatingIfNeeded: $0 &* 37) }),
  ]

  /// Ties go to even, limits hold, infinities clamp and a NaN becomes the lower limit.
  @Test func clampingRounds() {
    let clamp = IntegerClamp(zeroPoint: 3, low: -50, high: 60)
    #expect(clamp(0.5) == 3 && clamp(1.5) == 5 && clamp(-0.5) == 3 && clamp(-2.5) == 1)
    #expect(clamp(.infinity) == 60 && clamp(-.infinity) == -50 && clamp(.nan) == -50)
  }

  @Test(arguments: KernelTier.available) func quantizeIsTheClampedProduct(tier: KernelTier) {
    var samples = Samples(1)
    for clamp in Self.clamps {
      for count in lengths {
        var x = samples.floats(count, -30...30)
        for (index, odd) in [Float.nan, .infinity, -.infinity, 1e30, 0.5, -0.0].enumerated()
        where index < count { x[index] = odd }
        var y = [Int8](repeating: 0, count: count)
        tier.quantize(count: count, x, inverseScale: 7, to: &y, clamp: clamp)
        #expect(y == x.map { clamp($0 * 7) })
        var back = [Float](repeating: 0, count: count)
        tier.dequantize(count: count, y, scale: 0.3, zeroPoint: 5, to: &back)
        #expect(back == y.map { Float(Int32($0) - 5) * 0.3 })
      }
    }
  }

  @Test(arguments: KernelTier.available) func binaryFollowsTheFormula(tier: KernelTier) {
    var samples = Samples(2)
    for (a, b) in [(1, 1), (1, 0), (0, 1), (0, 0)] {
      for pattern in BytePattern.allCases {
        for count in lengths where count > 0 {
          let rows = 2
          let clamp = Self.clamps[count % 3]
          let x = samples.bytes(rows * count, pattern)
          let z = samples.bytes(rows * count)
          var sum = [Int8](repeating: 0, count: rows * count)
          var product = sum
          let left = { (i: Int, j: Int) in Int32(x[i * count + j * a]) - 11 }
          let right = { (i: Int, j: Int) in Int32(z[i * count + j * b]) + 128 }
          x.withUnsafeBufferPointer { x in
            z.withUnsafeBufferPointer { z in
              guard let x = x.baseAddress, let z = z.baseAddress else { return }
              let p = IntegerRowOperand(x, row: count, column: a, zeroPoint: 11)
              let q = IntegerRowOperand(z, row: count, column: b, zeroPoint: -128)
              tier.add(
                rows: rows, columns: count, p, multiplier: 0.37, q, multiplier: -0.11, to: &sum,
                row: count, clamp: clamp)
              tier.multiply(
                rows: rows, columns: count, p, q, multiplier: 0.004, to: &product, row: count,
                clamp: clamp)
            }
          }
          for i in 0..<rows {
            for j in 0..<count {
              let t = Float(left(i, j)) * 0.37 + Float(right(i, j)) * -0.11
              #expect(sum[i * count + j] == clamp(t))
              #expect(product[i * count + j] == clamp(Float(left(i, j) * right(i, j)) * 0.004))
            }
          }
        }
      }
    }
  }

  @Test(arguments: KernelTier.available) func requantizeAndLookUp(tier: KernelTier) {
    var samples = Samples(3)
    let entries = samples.bytes(256)
    for clamp in Self.clamps {
      for count in lengths {
        let x = samples.bytes(count)
        var y = x
        tier.requantize(
          rows: 1, columns: count, x, row: 0, zeroPoint: -7, multiplier: 1.25, to: &y, row: 0,
          clamp: clamp)
        #expect(y == x.map { clamp(Float(Int32($0) + 7) * 1.25) })
        tier.lookUp(rows: 1, columns: count, x, row: 0, in: entries, to: &y, row: 0)
        #expect(y == x.map { entries[Int($0) + 128] })
      }
    }
  }

  @Test(arguments: KernelTier.available) func layoutsAreTranspositions(tier: KernelTier) {
    var samples = Samples(4)
    for (channels, positions) in [(1, 1), (3, 70), (33, 31), (64, 5), (65, 100)] {
      let pitch = channels + 2
      let planar = samples.bytes(channels * positions)
      let reals = samples.floats(channels * positions, -3...3)
      let clamp = IntegerClamp(zeroPoint: 9, table: samples.bytes(256))
      var last = [Int8](repeating: 0, count: positions * pitch)
      var lastReals = [Float](repeating: 0, count: positions * pitch)
      var quantized = last
      tier.transpose(
        rows: channels, columns: positions, planar, row: positions, to: &last, row: pitch)
      tier.transpose(
        rows: channels, columns: positions, reals, row: positions, to: &lastReals, row: pitch)
      let parts = [0..<positions / 2, positions / 2..<positions]
      reals.withUnsafeBufferPointer { reals in
        quantized.withUnsafeMutableBufferPointer { quantized in
          for part in parts {
            tier.quantizeInterleaved(
              channels: channels, positions: part.count, reals.baseAddress! + part.lowerBound,
              plane: positions, inverseScale: 40,
              to: quantized.baseAddress! + part.lowerBound * pitch, pitch: pitch, clamp: clamp)
          }
        }
      }
      for c in 0..<channels {
        for p in 0..<positions {
          #expect(last[p * pitch + c] == planar[c * positions + p])
          #expect(lastReals[p * pitch + c] == reals[c * positions + p])
          #expect(quantized[p * pitch + c] == clamp(reals[c * positions + p] * 40))
        }
      }
      var back = [Int8](repeating: 0, count: channels * positions)
      var backReals = [Float](repeating: 0, count: channels * positions)
      tier.transpose(
        rows: positions, columns: channels, last, row: pitch, to: &back, row: positions)
      #expect(back == planar)
      tier.transpose(
        rows: positions, columns: channels, lastReals, row: pitch, to: &backReals, row: positions)
      #expect(backReals == reals)
      last.withUnsafeBufferPointer { last in
        backReals.withUnsafeMutableBufferPointer { backReals in
          for part in parts {
            tier.dequantizeDeinterleaved(
              channels: channels, positions: part.count,
              last.baseAddress! + part.lowerBound * pitch, pitch: pitch, scale: 0.1, zeroPoint: 4,
              to: backReals.baseAddress! + part.lowerBound, plane: positions)
          }
        }
      }
      #expect(backReals == planar.map { Float(Int32($0) - 4) * 0.1 })
    }
  }

  @Test(arguments: KernelTier.available) func transpositionsOfElementsOfAnySize(tier: KernelTier) {
    func expectTransposition<Element: FixedWidthInteger>(_: Element.Type) {
      for (rows, columns) in [(0, 3), (1, 1), (3, 65), (40, 9), (33, 32)] {
        let (from, to) = (columns + 5, rows + 3)
        let x = (0..<rows * from + 1).map { Element(truncatingIfNeeded: $0 &* 0x9E37_79B9_7F4A) }
        var y = [Element](repeating: 7, count: columns * to + 1)
        tier.transpose(
          elementByteCount: MemoryLayout<Element>.size, rows: rows, columns: columns, x, row: from,
          to: &y, row: to)
        for place in y.indices {
          let (column, row) = (place / to, place % to)
          let isInside = column < columns && row < rows
          #expect(y[place] == (isInside ? x[row * from + column] : 7))
        }
      }
    }
    expectTransposition(UInt8.self)
    expectTransposition(UInt16.self)
    expectTransposition(UInt32.self)
    expectTransposition(UInt64.self)
  }

  @Test(arguments: [1, 2, 3, 4, 8]) func planesAreJoinedWhateverTheirNumber(width: Int) {
    for count in [0, 1, 15, 16, 17, 100] {
      let planes = (0..<count * width).map { UInt8(truncatingIfNeeded: $0 &* 151) }
      var joined = [UInt8](repeating: 0, count: planes.count)
      planes.withUnsafeBytes { planes in
        joined.withUnsafeMutableBytes { KernelTier.joinPlanes(planes, width: width, to: $0) }
      }
      #expect(joined == joined.indices.map { planes[$0 % width * count + $0 / width] })
    }
  }
}
