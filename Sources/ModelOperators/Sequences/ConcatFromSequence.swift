import ModelIR
import TensorCore

/// The tensors of a sequence one after another along an axis, or along a new one. ONNX ConcatFromSequence 11.
package struct ConcatFromSequence: SequenceOperator {
  package static let name = "ConcatFromSequence"
  package static let fields = [
    Field("axis", \ConcatFromSequence.axis), Field("new_axis", \ConcatFromSequence.addsAxis),
  ]
  /// Counted from the end of the result's axes where negative.
  package var axis = 0
  package var addsAxis = false
  package init() {}
}

// MARK: - Types

extension ConcatFromSequence {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(1...1)
    let member = try inputs.sequence().member
    guard var dimensions = member.dimensions else { return [member] }
    let place = try resolved(dimensions.count)
    if addsAxis { dimensions.insert(.unknown, at: place) } else { dimensions[place] = .unknown }
    return [member.with(dimensions: dimensions)]
  }

  private func resolved(_ rank: Int) throws(ModelError) -> Int {
    guard rank > 0 || addsAxis else {
      throw ModelError(.shapeMismatch, "CS1: scalars along axis \(axis)")
    }
    return try Shape.resolve(axis: axis, rank: addsAxis ? rank + 1 : rank)
  }
}

// MARK: - Reference

extension ConcatFromSequence {
  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let members = try inputs.members()
    guard let first = members.first else {
      throw ModelError(.invalidValue, "CS2: a sequence without tensors has no shape to join")
    }
    let place = try resolved(first.shape.rank)
    guard !addsAxis else {
      var stack = TensorStack()
      for member in members {
        try during("CS3: tensors along a new axis") { () throws(ModelError) in
          try stack.append(member)
        }
      }
      return [try stack.tensor(axis: place, type: first.type)]
    }
    let joined = Concat(axis: place)
    return try during("CS3: tensors along axis \(place)") { () throws(ModelError) in
      _ = try joined.infer(Operands(members.map { Fact($0) }))
      return try joined.reference(Operands(members))
    }
  }
}

// MARK: - Import

extension ConcatFromSequence: ImportableOperator {
  package static let importers = [
    Importer("ConcatFromSequence", 11...newestOpset) { node throws(ModelError) in
      var op = ConcatFromSequence()
      op.axis = try node.required(attribute: "axis")
      op.addsAxis = try node.flag("new_axis", default: false)
      return op
    }
  ]
}
