import TensorCore

/// How far an element may be from its reference: |a − b| ≤ absolute + relative·|b| (`VC1` of
/// `formats/verification.md`).
package struct Tolerance: Codable, Sendable, Hashable {
  package let absolute: Double
  package let relative: Double

  package init(absolute: Double = 0, relative: Double = 0) {
    self.absolute = absolute
    self.relative = relative
  }

  /// Every element equal.
  package static let exact = Tolerance()

  package func admits(_ actual: Double, for expected: Double) -> Bool {
    if actual.isNaN || expected.isNaN { return actual.isNaN && expected.isNaN }
    if actual == expected { return true }
    guard actual.isFinite, expected.isFinite else { return false }
    return abs(actual - expected) <= absolute + relative * abs(expected)
  }
}

extension Tolerance: CustomStringConvertible {
  package var description: String {
    self == .exact ? "exact" : "\(absolute) + \(relative)·|expected|"
  }
}

/// A tensor and what it is called.
package struct NamedTensor: Sendable, Hashable {
  package let name: String
  package let tensor: Tensor

  package init(_ name: String, _ tensor: Tensor) {
    self.name = name
    self.tensor = tensor
  }

  package func hash(into hasher: inout Hasher) { hasher.combine(name) }
}

/// One output against its reference, and whether it is close enough.
package struct Comparison: Codable, Sendable, Hashable {
  /// One element that is not as it should be.
  package struct Difference: Codable, Sendable, Hashable {
    /// Index along each axis.
    package let position: [Int]
    package let actual: Double
    package let expected: Double
  }

  package let name: String
  package let tolerance: Tolerance
  package let passed: Bool
  /// Why there is nothing to measure: a missing output, another shape or element type.
  package let problem: String?
  /// Elements outside the tolerance.
  package let outside: Int
  /// The element that is furthest outside its own allowance; nil where none is.
  package let worst: Difference?
  package let metrics: Metrics?

  /// Compares two tensors of the same shape and element type; quantized integers are read as the reals
  /// they stand for.
  package init(
    _ name: String, _ actual: Tensor?, against expected: Tensor?, within tolerance: Tolerance
  ) {
    guard let actual, let expected else {
      self.init(name, tolerance, problem: actual == nil ? "it is missing" : "it is not expected")
      return
    }
    let (a, b) = (actual.dequantized(), expected.dequantized())
    guard a.element == b.element else {
      self.init(name, tolerance, problem: "it is \(a.element), not \(b.element)")
      return
    }
    guard a.shape == b.shape else {
      self.init(name, tolerance, problem: "its shape is \(a.shape), not \(b.shape)")
      return
    }
    let (x, y) = (a.doubles(), b.doubles())
    // Doubles cannot tell neighbouring 64-bit integers apart; the integers themselves can.
    let integers = a.element.byteCount == 8 && a.element.isInteger && tolerance == .exact
    let (m, n) = integers ? (a.integers(), b.integers()) : ([], [])
    var outside = 0
    var worst: Int?
    var worstExcess = -Double.infinity
    for index in x.indices {
      if integers ? m[index] == n[index] : tolerance.admits(x[index], for: y[index]) { continue }
      outside += 1
      let excess = abs(x[index] - y[index]) - tolerance.relative * abs(y[index])
      let rank = excess.isFinite ? excess : .infinity
      if worst == nil || rank > worstExcess {
        worst = index
        worstExcess = rank
      }
    }
    self.init(
      name, tolerance, outside: outside,
      worst: worst.map {
        Difference(position: a.shape.position(of: $0), actual: x[$0], expected: y[$0])
      }, metrics: Metrics(x, against: y))
  }

  private init(
    _ name: String, _ tolerance: Tolerance, problem: String? = nil, outside: Int = 0,
    worst: Difference? = nil, metrics: Metrics? = nil
  ) {
    self.name = name
    self.tolerance = tolerance
    self.problem = problem
    passed = problem == nil && outside == 0
    self.outside = outside
    self.worst = worst
    self.metrics = metrics
  }

  /// Compares outputs by name: in the order of `expected`, then those that nobody expects.
  package static func all(
    _ actual: [NamedTensor], against expected: [NamedTensor],
    within tolerance: (String) -> Tolerance
  ) -> [Comparison] {
    let made = Dictionary(actual.map { ($0.name, $0.tensor) }, uniquingKeysWith: { $1 })
    let wanted = Set(expected.map(\.name))
    let compared = expected.map {
      Comparison($0.name, made[$0.name], against: $0.tensor, within: tolerance($0.name))
    }
    let extra = actual.filter { !wanted.contains($0.name) }
    return compared
      + extra.map { Comparison($0.name, $0.tensor, against: nil, within: tolerance($0.name)) }
  }
}

extension Shape {
  /// The index along each axis of the element with flat index `flat`.
  func position(of flat: Int) -> [Int] {
    var (rest, position) = (flat, [Int](repeating: 0, count: rank))
    for axis in stride(from: rank - 1, through: 0, by: -1) where self[axis] > 0 {
      position[axis] = rest % self[axis]
      rest /= self[axis]
    }
    return position
  }
}
