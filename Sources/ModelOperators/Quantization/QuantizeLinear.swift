import ModelIR
import TensorCore

/// y = saturate(round(x / scale) + zero point), ties to even, the quotient rounded to `precision`
/// first. Operands: X, scale, zero point?. ONNX QuantizeLinear 10–28.
///
/// The generic form on plain tensors of integers; `Quantize` is its counterpart for tensors that stand
/// for real numbers.
package struct QuantizeLinear: Operator {
  package static let name = "QuantizeLinear"
  package static let fields = [
    Field("axis", \QuantizeLinear.axis), Field("block_size", \QuantizeLinear.block),
    Field("output_dtype", \QuantizeLinear.element), Field("precision", \QuantizeLinear.precision),
  ]

  /// Of scales that are not one for the tensor; counted from the end where negative.
  package var axis = 1
  /// Elements that share a scale along the axis; 0 where scales are not blocked.
  package var block = 0
  /// The element type of the result where there is no zero point; nil for uint8.
  package var element: ElementType?
  /// The float type of the quotient; nil for that of the scale.
  package var precision: ElementType?

  package init() {}
}

// MARK: - Types

extension QuantizeLinear {
  private func target(_ inputs: Operands<Fact>) -> ElementType {
    inputs.optional(2)?.element ?? element ?? .uint8
  }

  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(2...3)
    let x = try inputs.required(0)
    let scale = try inputs.required(1)
    guard x.element.isFloatingPoint || x.element == .int32, scale.element.isFloatingPoint else {
      throw ModelError(
        .typeMismatch, "QL1: QuantizeLinear of \(x.element) by scales of \(scale.element)")
    }
    let target = target(inputs)
    guard target.isInteger, target.byteCount <= 2, element ?? target == target else {
      throw ModelError(.typeMismatch, "QL2: QuantizeLinear to \(target)")
    }
    try ScaleGranularity(axis: axis, block: block).check(scale, for: x)
    if let zero = inputs.optional(2)?.type.shape, let own = scale.type.shape,
      zero.count != own.count
    {
      throw ModelError(.shapeMismatch, "QL4: zero points of \(zero) beside scales of \(own)")
    }
    return [x.type.with(element: target)]
  }

  package func outputElements(_ inputs: Operands<Fact>) throws(ModelError) -> [ElementType] {
    [target(inputs)]
  }
}

// MARK: - Reference

extension QuantizeLinear {
  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    let scale = try inputs.required(1)
    let target = target(inputs.facts)
    guard let range = target.integerRange else {
      throw ModelError(.typeMismatch, "QL2: QuantizeLinear to \(target)")
    }
    let (least, greatest) = (Double(range.lowerBound), Double(range.upperBound))
    let places = try ScaleGranularity(axis: axis, block: block).indices(scale.shape, in: x.shape)
    let scales = scale.doubles()
    let zeros = inputs.optional(2)?.doubles() ?? [Double](repeating: 0, count: scales.count)
    let precision = precision ?? scale.element
    let values = x.doubles()
    return [
      Tensor(
        target, x.shape,
        doubles: values.indices.map { index in
          let place = places[index]
          let quotient = precision.rounded(values[index] / scales[place])
          return clamp(quotient.rounded(.toNearestOrEven) + zeros[place], least, greatest)
        })
    ]
  }
}

// MARK: - Import

extension QuantizeLinear: ImportableOperator {
  package static let importers = [
    Importer("QuantizeLinear", 10...newestOpset) { node throws(ModelError) in
      node.ignore("saturate")
      var op = QuantizeLinear()
      op.axis = try node.attribute("axis", default: 1)
      op.block = try node.attribute("block_size", default: 0)
      op.element = try node.elementType("output_dtype")
      op.precision = try node.elementType("precision")
      return op
    },
    Importer("QuantizeLinear", domain: "com.microsoft", 1...1) { node throws(ModelError) in
      var op = QuantizeLinear()
      op.axis = try node.attribute("axis", default: 1)
      return op
    },
  ]
}
