import ModelIR
import TensorCore

/// A sequence without the tensor at a position, by default the last one. ONNX SequenceErase 11.
package struct SequenceErase: SequenceOperator {
  package static let name = "SequenceErase"
  package init() {}

  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(1...2)
    try inputs.checkPosition(1)
    return [try inputs.sequence()]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    var members = try inputs.members()
    guard !members.isEmpty else {
      throw ModelError(.invalidValue, "SQ4: nothing to take out of an empty sequence")
    }
    let place = try inputs.optional(1).map { (_) throws(ModelError) in
      try inputs.position(1, in: members.indices)
    }
    members.remove(at: place ?? members.count - 1)
    return [try Tensor(sequence: members, of: inputs.required(0).element)]
  }
}

extension SequenceErase: ImportableOperator {
  package static let importers = [
    Importer("SequenceErase", 11...newestOpset) { _ in SequenceErase() }
  ]
}
