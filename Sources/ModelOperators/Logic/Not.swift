import ModelIR
import TensorCore

/// y = not x, of booleans. ONNX Not 1.
package struct Not: Operator {
  package static let name = "Not"
  package init() {}

  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(1...1)
    let x = try inputs.required(0)
    guard x.element == .bool else { throw ModelError(.typeMismatch, "NT1: Not of \(x.element)") }
    return [x.type]
  }

  package func extents(_ inputs: Operands<Fact>) -> [Dimension]? {
    inputs.optional(0)?.extents?.map { $0.value.map { .fixed($0 == 0 ? 1 : 0) } ?? .unknown }
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    return [Tensor(x.shape, x.integers().map { $0 == 0 })]
  }
}

extension Not: ImportableOperator {
  package static let importers = [Importer("Not", 1...newestOpset) { _ in Not() }]
}
