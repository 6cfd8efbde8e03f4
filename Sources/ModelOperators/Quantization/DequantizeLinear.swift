import ModelIR
import TensorCore

/// y = (x − zero point) · scale. Operands: X, scale, zero point?. ONNX DequantizeLinear 10–28.
///
/// The generic form on plain tensors of integers; `Dequantize` is its counterpart for tensors that
/// stand for real numbers.
package struct DequantizeLinear: Operator {
  package static let name = "DequantizeLinear"
  package static let fields = [
    Field("axis", \DequantizeLinear.axis), Field("block_size", \DequantizeLinear.block),
    Field("output_dtype", \DequantizeLinear.element),
  ]

  /// Of scales that are not one for the tensor; counted from the end where negative.
  package var axis = 1
  /// Elements that share a scale along the axis; 0 where scales are not blocked.
  package var block = 0
  /// The float type of the result; nil for that of the scale.
  package var element: ElementType?

  package init() {}
}

// MARK: - Types

extension DequantizeLinear {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(2...3)
    let x = try inputs.required(0)
    let scale = try inputs.required(1)
    let target = element ?? scale.element
    guard x.element.isInteger, scale.element.isFloatingPoint, target.isFloatingPoint else {
      throw ModelError(
        .typeMismatch,
        "DL1: DequantizeLinear of \(x.element) by scales of \(scale.element) to \(target)")
    }
    if let zero = inputs.optional(2) {
      guard zero.element == x.element else {
        throw ModelError(.typeMismatch, "DL2: zero points of \(zero.element) for \(x.element)")
      }
      if let zero = zero.type.shape, let own = scale.type.shape, zero.count != own.count {
        throw ModelError(.shapeMismatch, "QL4: zero points of \(zero) beside scales of \(own)")
      }
    }
    try ScaleGranularity(axis: axis, block: block).check(scale, for: x)
    return [x.type.with(element: target)]
  }

  package func outputElements(_ inputs: Operands<Fact>) throws(ModelError) -> [ElementType] {
    if let element { return [element] }
    return [try inputs.required(1).element]
  }
}

// MARK: - Reference

extension DequantizeLinear {
  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    let scale = try inputs.required(1)
    let places = try ScaleGranularity(axis: axis, block: block).indices(scale.shape, in: x.shape)
    let scales = scale.doubles()
    let zeros = inputs.optional(2)?.doubles() ?? [Double](repeating: 0, count: scales.count)
    let values = x.doubles()
    return [
      Tensor(
        element ?? scale.element, x.shape,
        doubles: values.indices.map { (values[$0] - zeros[places[$0]]) * scales[places[$0]] })
    ]
  }
}

// MARK: - Import

extension DequantizeLinear: ImportableOperator {
  package static let importers = [
    Importer("DequantizeLinear", 10...newestOpset) { node throws(ModelError) in
      var op = DequantizeLinear()
      op.axis = try node.attribute("axis", default: 1)
      op.block = try node.attribute("block_size", default: 0)
      op.element = try node.elementType("output_dtype")
      return op
    },
    Importer("DequantizeLinear", domain: "com.microsoft", 1...1) { node throws(ModelError) in
      var op = DequantizeLinear()
      op.axis = try node.attribute("axis", default: 1)
      return op
    },
  ]
}
