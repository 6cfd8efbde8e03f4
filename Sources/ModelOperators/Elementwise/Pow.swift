import Foundation
import ModelIR
import TensorCore

/// y = aᵇ with multidirectional broadcasting, in the element type of a; integers to a power below 0 give
/// what is left of the fraction. ONNX Pow 7–15.
package struct Pow: Operator {
  package static let name = "Pow"
  package init() {}

  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(2...2)
    let a = try inputs.required(0)
    let b = try inputs.required(1)
    guard a.element != .bool, b.element != .bool else {
      throw ModelError(.typeMismatch, "PW1: Pow of \(a.element) and \(b.element)")
    }
    return [TensorType(a.element, try broadcast(a.dimensions(), b.dimensions()))]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let a = try inputs.required(0)
    let b = try inputs.required(1)
    let shape = try Shape.broadcast(a.shape, b.shape)
    let pairs = pairs(a.shape, b.shape, shape)
    guard a.element.isInteger, b.element.isInteger else {
      let (x, y) = (a.doubles(), b.doubles())
      return [Tensor(a.element, shape, doubles: pairs.map { pow(x[$0], y[$1]) })]
    }
    let (x, y) = (a.integers(), b.integers())
    return [Tensor(a.element, shape, integers: pairs.map { Pow.power(x[$0], y[$1]) })]
  }

  private static func power(_ base: Int64, _ exponent: Int64) -> Int64 {
    if exponent < 0 { return base == 1 ? 1 : base == -1 ? (exponent % 2 == 0 ? 1 : -1) : 0 }
    var (result, square, left) = (Int64(1), base, exponent)
    while left > 0 {
      if left & 1 == 1 { result = result &* square }
      square = square &* square
      left >>= 1
    }
    return result
  }
}

extension Pow: ImportableOperator {
  package static let importers = [Importer("Pow", 7...newestOpset) { _ in Pow() }]
}
