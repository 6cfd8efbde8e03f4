import ModelIR
import TensorCore

/// An operator that gives each element the fold of those before it along one axis. Operands: X and the
/// axis.
package protocol CumulativeOperator: Operator {
  /// Leave out the element itself.
  var excludesOwn: Bool { get set }
  /// Fold from the end.
  var isReversed: Bool { get set }
  /// The fold of nothing.
  static var start: Int { get }
  func apply(_ a: Double, _ b: Double) -> Double
  func apply(_ a: Int64, _ b: Int64) -> Int64
}

extension CumulativeOperator {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(2...2)
    let x = try inputs.required(0)
    guard x.element != .bool else {
      throw ModelError(.typeMismatch, "CU1: \(Self.name) of bool")
    }
    let axis = try inputs.required(1)
    try axis.expectIndices("CU2", "the axis")
    if let rank = x.type.rank, let named = axis.extents?.first?.value {
      guard rank > 0, (-rank..<rank).contains(named) else {
        throw ModelError(.invalidValue, "CU3: axis \(named) of rank \(rank)")
      }
    }
    return [x.type]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    let named = try inputs.required(1).integers()
    guard named.count == 1 else {
      throw ModelError(.shapeMismatch, "CU3: \(named.count) axes")
    }
    let axis = try resolve(axes: [Int(named[0])], rank: x.shape.rank, "CU3")[0]
    let groups = try ReductionGroups(x.shape, reducing: [axis], keepDimensions: true)
    if x.element.isFloatingPoint {
      return [
        Tensor(
          x.element, x.shape,
          doubles: fold(x.doubles(), groups, Double(Self.start)) { apply($0, $1) })
      ]
    }
    return [
      Tensor(
        x.element, x.shape,
        integers: fold(x.integers(), groups, Int64(Self.start)) { apply($0, $1) })
    ]
  }

  private func fold<Value>(
    _ values: [Value], _ groups: ReductionGroups, _ start: Value, _ apply: (Value, Value) -> Value
  ) -> [Value] {
    var result = values
    let members = isReversed ? groups.members.reversed() : groups.members
    for first in groups.starts {
      var folded = start
      for member in members {
        let next = apply(folded, values[first + member])
        result[first + member] = excludesOwn ? folded : next
        folded = next
      }
    }
    return result
  }

  static func cumulativeImporter(from version: Int) -> Importer {
    Importer(name, version...newestOpset) { node throws(ModelError) in
      var op = Self()
      op.excludesOwn = try node.flag("exclusive", default: false)
      op.isReversed = try node.flag("reverse", default: false)
      return op
    }
  }
}
