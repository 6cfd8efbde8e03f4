import ModelIR
import TensorCore

/// X with updates written (or added …) to the elements or slices that vectors of indices name.
/// Operands: X, indices, updates. ONNX ScatterND 11–18.
package struct ScatterND: Operator {
  package static let name = "ScatterND"
  package static let fields = [Field("reduction", \ScatterND.reduction)]

  package var reduction = ScatterReduction.none

  package init() {}
  package init(_ reduction: ScatterReduction) { self.reduction = reduction }

  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(3...3)
    let x = try inputs.required(0)
    let indices = try inputs.required(1)
    let updates = try inputs.required(2)
    try indices.expectIndices("SN1", "indices")
    guard updates.element == x.element else {
      throw ModelError(.typeMismatch, "SN2: updates of \(updates.element) for \(x.element)")
    }
    guard let own = x.type.shape, let places = indices.type.shape else { return [x.type] }
    guard places.rank > 0, own.rank > 0, (1...own.rank).contains(places[places.rank - 1]) else {
      throw ModelError(.shapeMismatch, "SN3: indices of \(places) for \(own)")
    }
    let depth = places[places.rank - 1]
    let expected = Array(places.dimensions.dropLast()) + own.dimensions[depth...]
    if let given = updates.type.shape, given.dimensions != expected {
      throw ModelError(.shapeMismatch, "SN4: updates of \(given), expected \(expected)")
    }
    return [x.type]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    let indices = try inputs.required(1)
    let depth = indices.shape[indices.shape.rank - 1]
    let slice = x.shape.count(depth..<x.shape.rank)
    let starts = try GatherND.places(indices, in: x.shape, batchAxes: 0)
    let places = starts.flatMap { start in (0..<slice).map { start + $0 } }
    return [reduction.scatter(try inputs.required(2), at: places, into: x)]
  }
}

extension ScatterND: ImportableOperator {
  package static let importers = [
    Importer("ScatterND", 11...newestOpset) { node throws(ModelError) in
      ScatterND(try node.attribute("reduction", default: ScatterReduction.none))
    }
  ]
}
