import ModelIR
import TensorCore

/// Each vector of indices names an element or a slice of X; the first `batchAxes` axes of both run
/// together. ONNX GatherND 11–13.
package struct GatherND: Operator {
  package static let name = "GatherND"
  package static let fields = [Field("batch_dims", \GatherND.batchAxes)]

  package var batchAxes = 0

  package init() {}
  package init(batchAxes: Int) { self.batchAxes = batchAxes }
}

// MARK: - Types

extension GatherND {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(2...2)
    let x = try inputs.required(0)
    let indices = try inputs.required(1)
    try indices.expectIndices("GD1", "indices")
    let dimensions = try x.dimensions()
    let places = try indices.dimensions()
    guard batchAxes >= 0, batchAxes < min(dimensions.count, places.count) else {
      throw ModelError(
        .invalidValue, "GD2: \(batchAxes) batch axes of ranks \(dimensions.count), \(places.count)")
    }
    guard let depth = places[places.count - 1].value else {
      throw ModelError(.unknownShape, "how many axes are indexed is not known")
    }
    guard depth >= 1, depth <= dimensions.count - batchAxes else {
      throw ModelError(
        .shapeMismatch, "GD3: \(depth) indices for \(dimensions.count - batchAxes) axes")
    }
    return [
      x.type.with(dimensions: places.dropLast() + dimensions[(batchAxes + depth)...])
    ]
  }
}

// MARK: - Reference

extension GatherND: MovingOperator {
  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    let indices = try inputs.required(1)
    guard let shape = try infer(inputs.facts)[0].shape else {
      throw ModelError(.unknownShape, "the shape of the result")
    }
    guard x.shape.dimensions[..<batchAxes] == indices.shape.dimensions[..<batchAxes] else {
      throw ModelError(.shapeMismatch, "GD4: batches of \(x.shape) and \(indices.shape)")
    }
    let starts = try GatherND.places(indices, in: x.shape, batchAxes: batchAxes)
    let depth = indices.shape[indices.shape.rank - 1]
    let slice = x.shape.count(batchAxes + depth..<x.shape.rank)
    return [
      x.gathering(shape, from: starts.flatMap { start in (0..<slice).map { start + $0 } })
    ]
  }

  /// The flat index in a tensor of `shape` of the first element that each vector of indices names.
  static func places(
    _ indices: Tensor, in shape: Shape, batchAxes: Int
  ) throws(ModelError) -> [Int] {
    let values = indices.integers()
    let rank = indices.shape.rank
    let depth = indices.shape[rank - 1]
    let strides = shape.strides
    let perBatch = indices.shape.count(batchAxes..<rank - 1)
    let batch = shape.count(batchAxes..<shape.rank)
    var places: [Int] = []
    for vector in 0..<indices.shape.count(0..<rank - 1) {
      var place = perBatch == 0 ? 0 : vector / perBatch * batch
      for part in 0..<depth {
        let axis = batchAxes + part
        let index = Int(values[vector * depth + part])
        place += try Gather.position(index, of: shape[axis]) * strides[axis]
      }
      places.append(place)
    }
    return places
  }
}

// MARK: - Import

extension GatherND: ImportableOperator {
  package static let importers = [
    Importer("GatherND", 11...newestOpset) { node throws(ModelError) in
      GatherND(batchAxes: try node.attribute("batch_dims", default: 0))
    }
  ]
}
