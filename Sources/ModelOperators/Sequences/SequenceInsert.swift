import ModelIR
import TensorCore

/// A sequence with a tensor put in before a position, by default at its end. ONNX SequenceInsert 11.
package struct SequenceInsert: SequenceOperator {
  package static let name = "SequenceInsert"
  package init() {}

  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(2...3)
    let sequence = try inputs.sequence()
    let tensor = try inputs.required(1).type
    try inputs.checkPosition(2)
    return [
      try during("SQ2: a tensor in a sequence") { () throws(ModelError) in
        try .sequence(of: sequence.member.joined(with: tensor))
      }
    ]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    var members = try inputs.members()
    let tensor = try inputs.required(1)
    let place = try inputs.optional(2).map { (_) throws(ModelError) in
      try inputs.position(2, in: 0..<members.count + 1, end: members.count)
    }
    members.insert(tensor, at: place ?? members.count)
    return [try Tensor(sequence: members, of: tensor.element)]
  }
}

extension SequenceInsert: ImportableOperator {
  package static let importers = [
    Importer("SequenceInsert", 11...newestOpset) { _ in SequenceInsert() }
  ]
}
