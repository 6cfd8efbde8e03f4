import TensorCore

/// What a thread can do at best, as it was measured: multiplications by the type of their operands, and bytes.
package struct BenchmarkFloors: Sendable {
  /// 10⁹ a second, by `int8`, `float32` or `memory`.
  private var rates: [String: Double] = [:]
  private static let kinds = ["float32", "int8", "memory"]

  package init() {}

  /// - Throws: `usage` for a kind that is not known or twice there, and a rate that is no number above 0.
  package mutating func set(_ kind: String, _ text: String) throws(ModelError) {
    guard Self.kinds.contains(kind), rates[kind] == nil else {
      throw ModelError(
        .usage, "'\(kind)' is no floor, or twice there; \(Self.kinds.joined(separator: ", ")) are")
    }
    guard let rate = Double(text), rate > 0, rate.isFinite else {
      throw ModelError(.usage, "'\(text)' is no rate: 10⁹ a second, above 0")
    }
    rates[kind] = rate
  }

  /// The share of its time that a step needs at the least; nil where its floor is not known.
  func share(ms: Double, macs: Int, bytes: Int, element: String) -> Double? {
    guard ms > 0, let memory = rates["memory"] else { return nil }
    var least = Double(bytes) / memory / 1e6
    if macs > 0 {
      guard let rate = rates[element] else { return nil }
      least = max(least, Double(macs) / rate / 1e6)
    }
    return least / ms
  }
}
