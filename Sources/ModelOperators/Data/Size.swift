import ModelIR
import TensorCore

/// The number of elements of X, an int64 scalar. ONNX Size 1–25.
package struct Size: Operator {
  package static let name = "Size"
  package init() {}

  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(1...1)
    return [TensorType(.int64, Shape.scalar)]
  }

  package func extents(_ inputs: Operands<Fact>) -> [Dimension]? {
    inputs.optional(0)?.type.dimensions.map { [Flatten.product($0[...])] }
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    [Tensor(scalar: Int64(try inputs.required(0).count))]
  }
}

extension Size: ImportableOperator {
  package static let importers = [Importer("Size", 1...newestOpset) { _ in Size() }]
}
