import TensorCore

/// Weights of fewer than eight bits: products of such a number and a multiplier of its group, which are int8 again (`Q68`).
package struct WeightGrid: Sendable, Hashable {
  /// Groups that a bundle finds again (`B53`).
  package static let groups = [16, 32, 64, 128]

  package let bits: Int
  /// Neighbours with one multiplier.
  package let group: Int

  /// Nil for eight bits, which need no multipliers.
  ///
  /// - Throws: `usage` for what no weights have.
  package init?(bits: Int, group: Int) throws(ModelError) {
    guard (2...8).contains(bits) else {
      throw ModelError(.usage, "--weight-bits \(bits): weights have 2 to 8 bits")
    }
    guard Self.groups.contains(group) else {
      let names = Self.groups.map { "\($0)" }.joined(separator: ", ")
      throw ModelError(.usage, "--weight-group \(group): groups have \(names) weights")
    }
    guard bits < 8 else { return nil }
    self.bits = bits
    self.group = group
  }

  /// The greatest quotient, and the greatest multiplier.
  private var quotient: Int { 1 << (bits - 1) - 1 }
  private var multiplier: Int { 127 / quotient }

  /// The greatest number that a weight can be.
  var greatest: Int { quotient * multiplier }

  /// The weights of a channel in steps of `scale`.
  func integers(_ row: [Float], scale: Double) -> [Int8] {
    var made: [Int8] = []
    made.reserveCapacity(row.count)
    row.withUnsafeBufferPointer { row in
      for start in stride(from: 0, to: row.count, by: group) {
        let block = row[start..<min(start + group, row.count)]
        let factor = multiplier(of: block, scale: scale)
        for value in block {
          made.append(Int8(steps(Double(value) / (scale * Double(factor))) * Double(factor)))
        }
      }
    }
    return made
  }

  func steps(_ value: Double) -> Double {
    min(max(value.rounded(.toNearestOrEven), -Double(quotient)), Double(quotient))
  }

  /// The multiplier of least error, the least of equals.
  func multiplier<Block: Collection>(of block: Block, scale: Double) -> Int
  where Block.Element: BinaryFloatingPoint {
    var best = (factor: 1, error: Double.infinity)
    for factor in 1...multiplier {
      let step = scale * Double(factor)
      var error = 0.0
      for value in block {
        let steps = Double(value) / step
        let rest = steps - self.steps(steps)
        error += rest * rest
        if error * step * step >= best.error { break }
      }
      if error * step * step < best.error { best = (factor, error * step * step) }
    }
    return best.factor
  }
}
