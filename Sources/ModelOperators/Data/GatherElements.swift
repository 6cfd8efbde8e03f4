import ModelIR
import TensorCore

/// y at each position is x there, with the coordinate along `axis` taken from the indices, which have
/// the shape of the result; negative ones count from the end. ONNX GatherElements 11–13.
package struct GatherElements: Operator {
  package static let name = "GatherElements"
  package static let fields = [Field("axis", \GatherElements.axis)]

  /// Counted from the end where negative.
  package var axis = 0

  package init() {}
  package init(axis: Int) { self.axis = axis }

  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(2...2)
    let x = try inputs.required(0)
    let indices = try inputs.required(1)
    try indices.expectIndices("GE1", "indices")
    if let rank = x.type.rank {
      let count = try indices.dimensions().count
      guard rank == count, rank > 0 else {
        throw ModelError(.shapeMismatch, "GE2: indices of rank \(count) for rank \(rank)")
      }
      _ = try Shape.resolve(axis: axis, rank: rank)
    }
    return [x.type.with(dimensions: indices.type.dimensions)]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    let indices = try inputs.required(1)
    return [x.gathering(indices.shape, from: try GatherElements.places(indices, in: x.shape, axis))]
  }

  /// The flat index in a tensor of `shape` that each index names.
  static func places(
    _ indices: Tensor, in shape: Shape, _ axis: Int
  ) throws(ModelError) -> [Int] {
    let axis = try Shape.resolve(axis: axis, rank: shape.rank)
    for other in 0..<shape.rank where other != axis && indices.shape[other] > shape[other] {
      throw ModelError(.shapeMismatch, "GE3: indices of \(indices.shape) for \(shape)")
    }
    var factors = zip(indices.shape.dimensions, shape.strides).map {
      [StridedView.Factor(extent: $0, stride: $1)]
    }
    factors[axis] = [.init(extent: indices.shape[axis], stride: 0)]
    var places = StridedView(offset: 0, axes: factors).indices()
    let stride = shape.strides[axis]
    for (position, index) in indices.integers().enumerated() {
      places[position] += try Gather.position(Int(index), of: shape[axis]) * stride
    }
    return places
  }
}

extension GatherElements: MovingOperator {}

extension GatherElements: ImportableOperator {
  package static let importers = [
    Importer("GatherElements", 11...newestOpset) { node throws(ModelError) in
      GatherElements(axis: try node.attribute("axis", default: 0))
    }
  ]
}
