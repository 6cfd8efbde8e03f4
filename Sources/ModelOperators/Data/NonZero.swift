import ModelIR
import TensorCore

/// The coordinates of the elements that are not 0, one row for each axis, in row-major order, as int64.
/// How many there are depends on the data. ONNX NonZero 9–13.
package struct NonZero: Operator {
  package static let name = "NonZero"
  package init() {}

  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(1...1)
    let rank = try inputs.required(0).dimensions().count
    return [TensorType(.int64, [.fixed(rank), .unknown])]
  }

  package func outputElements(_ inputs: Operands<Fact>) throws(ModelError) -> [ElementType] {
    [.int64]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    let values = x.doubles()
    let found = values.indices.filter { values[$0] != 0 }
    let shape = try Shape([x.shape.rank, found.count])
    var result: [Int64] = []
    for (extent, stride) in zip(x.shape.dimensions, x.shape.strides) {
      for index in found { result.append(Int64(index / stride % extent)) }
    }
    return [Tensor(shape, result)]
  }
}

extension NonZero: ImportableOperator {
  package static let importers = [Importer("NonZero", 9...newestOpset) { _ in NonZero() }]
}
