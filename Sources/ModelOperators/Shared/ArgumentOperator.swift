import ModelIR
import TensorCore

/// An operator that finds the index of an element along one axis.
package protocol ArgumentOperator: Operator {
  /// Counted from the end where negative.
  var axis: Int { get set }
  var keepDimensions: Bool { get set }
  /// Of equal elements, take the last.
  var selectsLast: Bool { get set }
  /// Whether `a` is chosen over `b`.
  func precedes<Value: Comparable>(_ a: Value, _ b: Value) -> Bool
}

extension ArgumentOperator {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(1...1)
    let x = try inputs.required(0)
    guard x.element != .bool else {
      throw ModelError(.typeMismatch, "AG1: \(Self.name) of bool")
    }
    var dimensions = try x.dimensions()
    let axis = try Shape.resolve(axis: axis, rank: dimensions.count)
    guard dimensions.indices.contains(axis) else {
      throw ModelError(.shapeMismatch, "AG2: \(Self.name) of a scalar")
    }
    guard dimensions[axis] != 0 else {
      throw ModelError(.shapeMismatch, "AG2: \(Self.name) of no elements")
    }
    if keepDimensions { dimensions[axis] = 1 } else { dimensions.remove(at: axis) }
    return [TensorType(.int64, dimensions)]
  }

  package func outputElements(_ inputs: Operands<Fact>) throws(ModelError) -> [ElementType] {
    [.int64]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    let axis = try Shape.resolve(axis: axis, rank: x.shape.rank)
    let groups = try ReductionGroups(x.shape, reducing: [axis], keepDimensions: keepDimensions)
    let chosen: [Int64]
    if x.element.isFloatingPoint {
      chosen = groups.map(x.doubles(), choose)
    } else if x.element == .uint64 {
      chosen = groups.map(x.integers().map { UInt64(bitPattern: $0) }, choose)
    } else {
      chosen = groups.map(x.integers(), choose)
    }
    return [Tensor(groups.shape, chosen)]
  }

  private func choose<Value: Comparable>(_ values: [Value]) -> Int64 {
    var best = 0
    for index in values.indices {
      if precedes(values[index], values[best]) || (selectsLast && values[index] == values[best]) {
        best = index
      }
    }
    return Int64(best)
  }

  static func argumentImporter() -> Importer {
    Importer(name, 1...newestOpset) { node throws(ModelError) in
      var op = Self()
      op.axis = try node.attribute("axis", default: 0)
      op.keepDimensions = try node.flag("keepdims", default: true)
      op.selectsLast = try node.flag("select_last_index", default: false)
      return op
    }
  }
}
