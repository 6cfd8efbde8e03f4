import Foundation
import ModelIR
import TensorCore

/// An operator that makes a window for a Fourier transform: a sum of cosines of as many elements as
/// operand 0 says (`WF1`).
package protocol WindowFunction: Operator {
  /// a₀, a₁ …: wₙ = Σ aᵢ cos(2π i n / N).
  static var coefficients: [Double] { get }
  /// N is the size; elsewhere it is one less, so that both ends are equal.
  var periodic: Bool { get set }
  var element: ElementType { get set }
}

extension WindowFunction {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(1...1)
    let size = try inputs.required(0)
    guard size.element == .int64 || size.element == .int32, element != .bool else {
      throw ModelError(.typeMismatch, "WF1: a size of \(size.element)")
    }
    let count = size.extents?.first ?? .unknown
    guard (count.value ?? 0) >= 0 else { throw ModelError(.invalidValue, "WF1: \(count) elements") }
    return [TensorType(element, [count])]
  }

  package func outputElements(_ inputs: Operands<Fact>) throws(ModelError) -> [ElementType] {
    [element]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let count = Int(try inputs.required(0).integers().first ?? 0)
    let period = Double(max(1, periodic ? count : count - 1))
    let values = (0..<count).map { n in
      Self.coefficients.enumerated().reduce(0) {
        $0 + $1.element * cos(2 * Double.pi * Double($1.offset) * Double(n) / period)
      }
    }
    return [Tensor(element, try Shape([count]), doubles: values)]
  }

  static func importer(_ kind: String) -> Importer {
    Importer(kind, 17...newestOpset) { node throws(ModelError) in
      var op = Self()
      op.periodic = try node.flag("periodic", default: true)
      op.element = try node.elementType("output_datatype") ?? .float32
      return op
    }
  }
}
