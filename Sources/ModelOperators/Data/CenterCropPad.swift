import ModelIR
import TensorCore

/// X cut or padded with 0 on both sides to the extents in operand 1; where the difference is odd, the
/// odd element is cut or added at the end. ONNX CenterCropPad 18.
package struct CenterCropPad: Operator {
  package static let name = "CenterCropPad"
  package static let fields = [Field("axes", \CenterCropPad.axes)]

  /// The axes that operand 1 has extents for; nil for all. Counted from the end where negative.
  package var axes: [Int]?

  package init() {}
  package init(axes: [Int]?) { self.axes = axes }

  private func target(_ dimensions: [Dimension], _ wanted: Fact) throws(ModelError) -> [Dimension] {
    let rank = dimensions.count
    let named = axes ?? Array(0..<rank)
    _ = try resolve(axes: named, rank: rank, "CP2")
    guard let extents = wanted.extents else {
      var result = dimensions
      for axis in named { result[axis < 0 ? axis + rank : axis] = .unknown }
      return result
    }
    guard extents.count == named.count else {
      throw ModelError(.shapeMismatch, "CP3: \(extents.count) extents for \(named.count) axes")
    }
    var result = dimensions
    for (axis, extent) in zip(named, extents) {
      guard extent.value ?? 0 >= 0 else { throw ModelError(.invalidValue, "CP3: extent \(extent)") }
      result[axis < 0 ? axis + rank : axis] = extent
    }
    return result
  }

  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(2...2)
    let x = try inputs.required(0)
    let wanted = try inputs.required(1)
    try wanted.expectIndices("CP1", "extents")
    return [x.type.with(dimensions: try target(x.dimensions(), wanted))]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    let wanted = try target(x.shape.dimensions.map { .fixed($0) }, Fact(inputs.required(1)))
    let shape = try Shape(zip(x.shape.dimensions, wanted).map { $1.value ?? $0 })
    guard shape.count > 0 else { return [x.gathering(shape, from: [])] }
    let maps = zip(x.shape.dimensions, wanted).map { (extent, target) -> [Int] in
      let target = target.value ?? extent
      let shift = target < extent ? (extent - target) / 2 : -((target - extent) / 2)
      return (0..<target).map { (0..<extent).contains($0 + shift) ? $0 + shift : -1 }
    }
    let all = AxisMaps(maps: maps)
    return [x.gathering(try Shape(all.extents), from: all.sources(in: x.shape))]
  }
}

extension CenterCropPad: ImportableOperator {
  package static let importers = [
    Importer("CenterCropPad", 18...newestOpset) { node throws(ModelError) in
      CenterCropPad(axes: try node.optional("axes"))
    }
  ]
}
