import ModelIR
import TensorCore

/// Every bit of x inverted, of integers. ONNX BitwiseNot 18.
package struct BitwiseNot: Operator {
  package static let name = "BitwiseNot"
  package init() {}

  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(1...1)
    let x = try inputs.required(0)
    guard x.element.isInteger else {
      throw ModelError(.typeMismatch, "BW1: BitwiseNot of \(x.element)")
    }
    return [x.type]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    return [Tensor(x.element, x.shape, integers: x.integers().map { ~$0 })]
  }
}

extension BitwiseNot: ImportableOperator {
  package static let importers = [Importer("BitwiseNot", 18...newestOpset) { _ in BitwiseNot() }]
}
