import ModelIR
import TensorCore

/// A binary operator that folds any number of operands, from the left; floats are rounded once, at the
/// end.
package protocol VariadicOperator: BinaryOperator {
  /// The result for a fold over `count` operands.
  func finish(_ folded: Double, count: Int) -> Double
}

extension VariadicOperator {
  package func finish(_ folded: Double, count: Int) -> Double { folded }

  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    let operands = try inputs.all()
    guard let first = operands.first, accepts(first.element) else {
      throw ModelError(.typeMismatch, "BR1: \(Self.name) needs operands of a numeric type")
    }
    var dimensions = try first.dimensions()
    for operand in operands.dropFirst() {
      guard operand.element == first.element else {
        throw ModelError(
          .typeMismatch, "BR1: \(Self.name) of \(first.element) and \(operand.element)")
      }
      dimensions = try broadcast(dimensions, operand.dimensions())
    }
    return [TensorType(first.element, dimensions)]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let operands = try inputs.all()
    let element = try inputs.required(0).element
    var shape = Shape.scalar
    for operand in operands { shape = try Shape.broadcast(shape, operand.shape) }
    if element.isFloatingPoint {
      let folded = fold(operands.map { ($0.doubles(), $0.shape) }, shape) { apply($0, $1) }
      return [
        Tensor(element, shape, doubles: folded.map { finish($0, count: operands.count) })
      ]
    }
    if element == .uint64 {
      let folded = fold(
        operands.map { ($0.integers().map { UInt64(bitPattern: $0) }, $0.shape) }, shape
      ) { apply($0, $1) }
      return [Tensor(shape, folded)]
    }
    let folded = fold(operands.map { ($0.integers(), $0.shape) }, shape) { apply($0, $1) }
    return [Tensor(element, shape, integers: folded)]
  }

  private func fold<Value>(
    _ operands: [([Value], Shape)], _ shape: Shape, _ apply: (Value, Value) -> Value
  ) -> [Value] {
    guard let (first, firstShape) = operands.first else { return [] }
    var result = sources(of: firstShape, in: shape).map { first[$0] }
    for (values, own) in operands.dropFirst() {
      for (index, source) in sources(of: own, in: shape).enumerated() {
        result[index] = apply(result[index], values[source])
      }
    }
    return result
  }
}
