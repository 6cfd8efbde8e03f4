import ModelIR
import TensorCore

/// A new axis of extent `depth` that holds the second value where the index says, the first value
/// elsewhere; negative indices count from the end, others outside the depth mark nothing. Operands:
/// indices, depth, values [off, on]. ONNX OneHot 9–28.
package struct OneHot: Operator {
  package static let name = "OneHot"
  package static let fields = [Field("axis", \OneHot.axis)]

  /// Of the result; counted from the end where negative.
  package var axis = -1

  package init() {}
  package init(axis: Int) { self.axis = axis }

  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(3...3)
    let indices = try inputs.required(0)
    let depth = try inputs.required(1)
    let values = try inputs.required(2)
    guard indices.element != .bool, depth.element != .bool else {
      throw ModelError(.typeMismatch, "OH1: \(indices.element) indices, \(depth.element) depth")
    }
    if let shape = values.type.shape, shape.dimensions != [2] {
      throw ModelError(.shapeMismatch, "OH2: values of \(shape), not [2]")
    }
    var dimensions = try indices.dimensions()
    let axis = try Shape.resolve(axis: axis, rank: dimensions.count + 1)
    let extent = (try? depth.integers())?.first
    if let extent, extent < 1 { throw ModelError(.invalidValue, "OH3: a depth of \(extent)") }
    dimensions.insert(extent.map { .fixed($0) } ?? .unknown, at: axis)
    return [TensorType(values.element, dimensions)]
  }

  package func outputElements(_ inputs: Operands<Fact>) throws(ModelError) -> [ElementType] {
    [try inputs.required(2).element]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let indices = try inputs.required(0)
    let values = try inputs.required(2)
    guard let depth = try inputs.required(1).integers().first.map({ Int($0) }), depth > 0 else {
      throw ModelError(.invalidValue, "OH3: no depth")
    }
    var extents = indices.shape.dimensions
    let axis = try Shape.resolve(axis: axis, rank: extents.count + 1)
    let inner = indices.shape.count(axis..<indices.shape.rank)
    extents.insert(depth, at: axis)
    let shape = try Shape(extents)
    var sources = [Int](repeating: 0, count: shape.count)
    for (place, index) in indices.integers().enumerated() {
      let (index, extent) = (Int(index), depth)
      guard index >= -extent, index < extent else { continue }
      let position = index < 0 ? index + extent : index
      sources[(place / inner * depth + position) * inner + place % inner] = 1
    }
    return [values.gathering(shape, from: sources)]
  }
}

extension OneHot: ImportableOperator {
  package static let importers = [
    Importer("OneHot", 9...newestOpset) { node throws(ModelError) in
      OneHot(axis: try node.attribute("axis", default: -1))
    }
  ]
}
