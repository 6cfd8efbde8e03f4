import ModelIR
import ModelOperators
import TensorCore

/// What an adaptation makes small: a sum over elements of a distance times a weight.
package enum Loss: String, Sendable, CaseIterable {
  /// Σ |a − b| · w
  case absolute
  /// Σ (a − b)² · w
  case square

  /// Appends the loss of `a` against `b`, weighted by `weight`, which broadcasts: one number.
  package func append(
    _ a: ValueID, _ b: ValueID, weight: ValueID?, to graph: inout Graph
  ) throws(ModelError) -> ValueID {
    var value = try graph.appendOne(Sub(), named: "loss.difference", to: [a, b])
    switch self {
    case .absolute: value = try graph.appendOne(Abs(), named: "loss.distance", to: [value])
    case .square: value = try graph.appendOne(Mul(), named: "loss.distance", to: [value, value])
    }
    if let weight {
      value = try graph.appendOne(Mul(), named: "loss.weighted", to: [value, weight])
    }
    var sum = ReduceSum()
    sum.keepDimensions = false
    return try graph.appendOne(sum, named: "loss", to: [value])
  }
}
