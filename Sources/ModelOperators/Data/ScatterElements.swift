import ModelIR
import TensorCore

/// X with updates written (or added …) at positions whose coordinate along `axis` comes from the
/// indices. Operands: X, indices, updates, the last two of one shape. ONNX ScatterElements 11–18 and
/// Scatter 9.
package struct ScatterElements: Operator {
  package static let name = "ScatterElements"
  package static let fields = [
    Field("axis", \ScatterElements.axis), Field("reduction", \ScatterElements.reduction),
  ]

  /// Counted from the end where negative.
  package var axis = 0
  package var reduction = ScatterReduction.none

  package init() {}
  package init(axis: Int, reduction: ScatterReduction = .none) {
    self.axis = axis
    self.reduction = reduction
  }

  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(3...3)
    let x = try inputs.required(0)
    let indices = try inputs.required(1)
    let updates = try inputs.required(2)
    try indices.expectIndices("SE1", "indices")
    guard updates.element == x.element else {
      throw ModelError(.typeMismatch, "SE2: updates of \(updates.element) for \(x.element)")
    }
    if let first = indices.type.shape, let second = updates.type.shape, first != second {
      throw ModelError(.shapeMismatch, "SE3: indices of \(first), updates of \(second)")
    }
    if let rank = x.type.rank {
      guard rank > 0, indices.type.rank ?? rank == rank else {
        throw ModelError(.shapeMismatch, "SE4: indices of another rank than \(rank)")
      }
      _ = try Shape.resolve(axis: axis, rank: rank)
    }
    return [x.type]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    let places = try GatherElements.places(inputs.required(1), in: x.shape, axis)
    return [reduction.scatter(try inputs.required(2), at: places, into: x)]
  }
}

extension ScatterElements: ImportableOperator {
  package static let importers = [
    Importer("Scatter", 9...10) { node throws(ModelError) in
      ScatterElements(axis: try node.attribute("axis", default: 0))
    },
    Importer("ScatterElements", 11...newestOpset) { node throws(ModelError) in
      ScatterElements(
        axis: try node.attribute("axis", default: 0),
        reduction: try node.attribute("reduction", default: ScatterReduction.none))
    },
  ]
}
