import ModelIR
import TensorCore

/// The tensor at a position of a sequence, counted from the end where negative. ONNX SequenceAt 11.
package struct SequenceAt: SequenceOperator {
  package static let name = "SequenceAt"
  package init() {}

  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(2...2)
    let sequence = try inputs.sequence()
    try inputs.checkPosition(1)
    return [sequence.member]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let members = try inputs.members()
    return [members[try inputs.position(1, in: members.indices)]]
  }
}

extension SequenceAt: ImportableOperator {
  package static let importers = [Importer("SequenceAt", 11...newestOpset) { _ in SequenceAt() }]
}
