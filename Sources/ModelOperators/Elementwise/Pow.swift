import Foundation
import ModelIR
import ModelKernels
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

extension Pow: PlannedOperator {
  /// Exponents that are one exact operation: 2, 1, ½ and −1.
  package func kernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    let x = try request.operands.required(0)
    guard x.fact.element == .float32, request.outputs[0].shape == x.shape,
      let exponent = try request.operands.required(1).fact.constant, exponent.count == 1
    else { return nil }
    let tier = request.tier
    switch exponent.doubles()[0] {
    case 1: return .alias(of: 0, layout: x.layout)
    case 2:
      return .mapping(x) { (x, y, count) in
        let row = RowOperand(x, row: 0)
        tier.combine(.multiply, rows: 1, columns: count, row, row, to: y, row: 0)
      }
    case 0.5: return .mapping(x) { tier.apply(.sqrt, count: $2, $0, to: $1) }
    case -1: return .mapping(x) { tier.apply(.reciprocal, count: $2, $0, to: $1) }
    default: return nil
    }
  }
}

extension Pow: ImportableOperator {
  package static let importers = [
    .aligning(Pow.self), Importer("Pow", 7...newestOpset) { _ in Pow() },
  ]
}

extension Pow: DifferentiableOperator {
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    let (a, b, gradient) = (try site.operand(0), try site.operand(1), try site.gradient())
    return [
      try site.wants(0) ? (gradient * b * a.applying(Pow(), b - 1)).reduced(to: a.shape) : nil,
      try site.wants(1) ? (gradient * site.output() * a.applying(Log())).reduced(to: b.shape) : nil,
    ]
  }
}
