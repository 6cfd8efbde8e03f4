import ModelIR
import TensorCore

/// The sequence of the operands. ONNX SequenceConstruct 11.
package struct SequenceConstruct: Operator {
  package static let name = "SequenceConstruct"
  package init() {}

  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    let types = try inputs.all().map(\.type)
    guard var member = types.first else {
      throw ModelError(.invalidValue, "SQ1: a sequence of no operands")
    }
    for type in types.dropFirst() {
      member = try during("SQ2: the operands of a sequence") { () throws(ModelError) in
        try member.joined(with: type)
      }
    }
    return [.sequence(of: member)]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let members = try inputs.all()
    return [try Tensor(sequence: members, of: members[0].element)]
  }
}

extension SequenceConstruct: ImportableOperator {
  package static let importers = [
    Importer("SequenceConstruct", 11...newestOpset) { _ in SequenceConstruct() }
  ]
}
