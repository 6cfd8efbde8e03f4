import ModelIR
import TensorCore

/// An operator on the lines of a float tensor along one axis.
package protocol AxisOperator: Operator {
  /// Counted from the end where negative.
  var axis: Int { get }
  /// The result of one line; as long as the line.
  func apply(_ line: [Double]) -> [Double]
}

extension AxisOperator {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(1...1)
    let x = try inputs.required(0)
    guard x.element.isFloatingPoint else {
      throw ModelError(.typeMismatch, "SM1: \(Self.name) of \(x.element); it needs a float type")
    }
    _ = try Shape.resolve(axis: axis, rank: x.dimensions().count)
    return [x.type]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    let rank = x.shape.rank
    let axis = try Shape.resolve(axis: axis, rank: rank)
    let extent = rank == 0 ? 1 : x.shape[axis]
    let inner = x.shape.count(min(axis + 1, rank)..<rank)
    let values = x.doubles()
    var result = values
    for line in 0..<(extent == 0 ? 0 : values.count / extent) {
      let start = line / inner * extent * inner + line % inner
      let made = apply((0..<extent).map { values[start + $0 * inner] })
      for (index, value) in made.enumerated() { result[start + index * inner] = value }
    }
    return [Tensor(x.element, x.shape, doubles: result)]
  }
}
