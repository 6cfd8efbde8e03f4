import ModelIR
import TensorCore

/// How many tensors a sequence has, as an int64 scalar. ONNX SequenceLength 11.
package struct SequenceLength: SequenceOperator {
  package static let name = "SequenceLength"
  package init() {}

  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(1...1)
    _ = try inputs.sequence()
    return [TensorType(.int64, [])]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    [Tensor(scalar: Int64(try inputs.members().count))]
  }
}

extension SequenceLength: ImportableOperator {
  package static let importers = [
    Importer("SequenceLength", 11...newestOpset) { _ in SequenceLength() }
  ]
}
