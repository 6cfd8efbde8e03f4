import ModelIR
import TensorCore

/// The slices along `axis` (the elements, without one) for which the condition (operand 1) holds; a
/// short condition leaves out the rest. ONNX Compress 9–28.
package struct Compress: Operator {
  package static let name = "Compress"
  package static let fields = [Field("axis", \Compress.axis)]

  /// Counted from the end where negative; nil for the flattened tensor.
  package var axis: Int?

  package init() {}
  package init(axis: Int?) { self.axis = axis }

  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(2...2)
    let x = try inputs.required(0)
    let condition = try inputs.required(1)
    guard condition.element == .bool else {
      throw ModelError(.typeMismatch, "CM1: a condition of \(condition.element), not bool")
    }
    let kept = condition.constant.map { Dimension.fixed(Compress.chosen($0).count) } ?? .unknown
    guard let axis else { return [x.type.with(dimensions: [kept])] }
    var dimensions = try x.dimensions()
    let index = try Shape.resolve(axis: axis, rank: dimensions.count)
    guard dimensions.indices.contains(index) else {
      throw ModelError(.shapeMismatch, "CM2: Compress of a scalar along an axis")
    }
    dimensions[index] = kept
    return [x.type.with(dimensions: dimensions)]
  }

  private static func chosen(_ condition: Tensor) -> [Int] {
    condition.integers().enumerated().filter { $0.element != 0 }.map(\.offset)
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    var x = try inputs.required(0)
    if axis == nil { x = try x.reshaped(to: Shape([x.count])) }
    let index = try Shape.resolve(axis: axis ?? 0, rank: x.shape.rank)
    let chosen = try Compress.chosen(inputs.required(1))
    guard chosen.last ?? 0 < max(x.shape[index], 1) else {
      throw ModelError(.shapeMismatch, "CM3: the condition is longer than extent \(x.shape[index])")
    }
    let maps = x.shape.dimensions.enumerated().map {
      $0.offset == index ? chosen : Array(0..<$0.element)
    }
    let all = AxisMaps(maps: maps)
    return [x.gathering(try Shape(all.extents), from: all.sources(in: x.shape))]
  }
}

extension Compress: ImportableOperator {
  package static let importers = [
    Importer("Compress", 9...newestOpset) { node throws(ModelError) in
      Compress(axis: try node.optional("axis"))
    }
  ]
}
