import ModelIR
import TensorCore

/// Normalisation over the axes from `axis` on: y = scale · (x − mean) / √(variance + ε) + bias. With
/// `statistics`, outputs 1 and 2 are the mean and 1 / √(variance + ε), float32.
///
/// Operands: X, scale, bias?; the latter broadcast to the normalised axes. Clauses `LY1`… of
/// `formats/operators.md`; ONNX LayerNormalization 17.
package struct LayerNormalization: Operator {
  package static let name = "LayerNormalization"
  package static let fields = [
    Field("axis", \LayerNormalization.axis),
    Field("epsilon", \LayerNormalization.epsilon),
    Field("statistics", \LayerNormalization.statistics),
  ]

  /// Counted from the end where negative.
  package var axis = -1
  package var epsilon: Float = 1e-5
  package var statistics = false

  package init() {}
  package init(axis: Int = -1, epsilon: Float = 1e-5, statistics: Bool = false) {
    self.axis = axis
    self.epsilon = epsilon
    self.statistics = statistics
  }
}

// MARK: - Types

/// Rejects a scale or bias that does not broadcast to the dimensions `normalized`.
func checkScale(
  _ operand: Fact?, _ element: ElementType, _ normalized: ArraySlice<Dimension>, clause: String
) throws(ModelError) {
  guard let operand else { return }
  guard operand.element.isFloatingPoint else {
    throw ModelError(.typeMismatch, "\(clause): a scale or bias of \(operand.element)")
  }
  let given = try operand.dimensions()
  guard given.count <= normalized.count,
    zip(given.reversed(), normalized.reversed()).allSatisfy({ $0 == 1 || $0.mayEqual($1) })
  else {
    throw ModelError(
      .shapeMismatch, "\(clause): \(operand.type) does not broadcast to \(Array(normalized))")
  }
}

extension LayerNormalization {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(2...3)
    let x = try inputs.required(0)
    guard x.element.isFloatingPoint else {
      throw ModelError(.typeMismatch, "LY1: layer normalisation of \(x.element)")
    }
    let dimensions = try x.dimensions()
    let axis = try Shape.resolve(axis: axis, rank: dimensions.count)
    let normalized = dimensions[min(axis, dimensions.count)...]
    try checkScale(inputs.required(1), x.element, normalized, clause: "LY2")
    try checkScale(inputs.optional(2), x.element, normalized, clause: "LY2")
    guard statistics else { return [x.type] }
    let kept = TensorType(
      .float32,
      dimensions.prefix(axis) + [Dimension](repeating: 1, count: dimensions.count - axis))
    return [x.type, kept, kept]
  }

  package func outputElements(_ inputs: Operands<Fact>) throws(ModelError) -> [ElementType] {
    let element = try inputs.required(0).element
    return statistics ? [element, .float32, .float32] : [element]
  }
}

// MARK: - Reference

/// Mean and population variance of `values`.
func moments(_ values: ArraySlice<Double>) -> (mean: Double, variance: Double) {
  let mean = values.reduce(0, +) / Double(max(1, values.count))
  let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(max(1, values.count))
  return (mean, variance)
}

/// The elements of `operand` as they lie over a tensor of `shape` that it broadcasts to.
func spread(_ operand: Tensor?, over shape: Shape, absent: Double) -> [Double] {
  guard let operand else { return [Double](repeating: absent, count: shape.count) }
  let values = operand.doubles()
  return pairs(operand.shape, shape, shape).map { values[$0.0] }
}

extension LayerNormalization {
  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    let axis = try Shape.resolve(axis: axis, rank: x.shape.rank)
    let normalized = try Shape(Array(x.shape.dimensions[axis...]))
    let scale = spread(try inputs.required(1), over: normalized, absent: 1)
    let bias = spread(inputs.optional(2), over: normalized, absent: 0)
    let values = x.doubles()
    let inner = normalized.count
    var result = values
    var means: [Double] = []
    var deviations: [Double] = []
    for row in 0..<x.shape.count(0..<axis) {
      let (mean, variance) = moments(values[row * inner..<(row + 1) * inner])
      let inverse = 1 / (variance + Double(epsilon)).squareRoot()
      for i in 0..<inner {
        result[row * inner + i] = (values[row * inner + i] - mean) * inverse * scale[i] + bias[i]
      }
      means.append(mean)
      deviations.append(inverse)
    }
    let y = Tensor(x.element, x.shape, doubles: result)
    guard statistics else { return [y] }
    let kept = try Shape(
      Array(x.shape.dimensions.prefix(axis)) + [Int](repeating: 1, count: x.shape.rank - axis))
    return [
      y, Tensor(.float32, kept, doubles: means), Tensor(.float32, kept, doubles: deviations),
    ]
  }
}

// MARK: - Import

extension LayerNormalization: ImportableOperator {
  package static let importers =
    [
      Importer("LayerNormalization", 17...newestOpset) { node throws(ModelError) in
        node.ignore("stash_type")
        return LayerNormalization(
          axis: try node.attribute("axis", default: -1),
          epsilon: try node.attribute("epsilon", default: Float(1e-5)),
          statistics: node.outputCount > 1)
      }
    ] + fusedImporters
}

// MARK: - Gradient

extension LayerNormalization: DifferentiableOperator {
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    let (x, scale, gradient) = (try site.operand(0), try site.operand(1), try site.gradient())
    let rank = try x.shape.rank
    let axes = Array(try Shape.resolve(axis: axis, rank: rank)..<rank)
    let (byX, normal) = try (gradient * scale).normalised(x, axes: axes, epsilon: epsilon)
    return [
      byX, try site.wants(1) ? (gradient * normal).reduced(to: scale.shape) : nil,
      try site.wants(2) ? gradient.reduced(to: site.operand(2).shape) : nil,
    ]
  }
}
