import ModelIR
import ModelKernels
import TensorCore

/// Normalisation over the axes from `axis` on by the root of the mean square:
/// y = scale · x / √(mean x² + ε).
///
/// Operands: X, scale, which broadcasts to the normalised axes. Clauses `RM1`… of
/// `formats/operators.md`; ONNX RMSNormalization 23.
package struct RMSNormalization: Operator {
  package static let name = "RMSNormalization"
  package static let fields = [
    Field("axis", \RMSNormalization.axis), Field("epsilon", \RMSNormalization.epsilon),
  ]

  /// Counted from the end where negative.
  package var axis = -1
  package var epsilon: Float = 1e-5

  package init() {}
  package init(axis: Int = -1, epsilon: Float = 1e-5) {
    self.axis = axis
    self.epsilon = epsilon
  }
}

extension RMSNormalization {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(2...2)
    let (x, scale) = (try inputs.required(0), try inputs.required(1))
    guard x.element.isFloatingPoint else {
      throw ModelError(.typeMismatch, "RM1: normalisation of \(x.element)")
    }
    let dimensions = try x.dimensions()
    let axis = try Shape.resolve(axis: axis, rank: dimensions.count)
    try checkScale(scale, x.element, dimensions[min(axis, dimensions.count)...], clause: "RM2")
    return [TensorType(scale.element, dimensions)]
  }

  package func outputElements(_ inputs: Operands<Fact>) throws(ModelError) -> [ElementType] {
    [try inputs.required(1).element]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let (x, operand) = (try inputs.required(0), try inputs.required(1))
    let axis = try Shape.resolve(axis: axis, rank: x.shape.rank)
    let normalized = try Shape(Array(x.shape.dimensions[axis...]))
    let scale = spread(operand, over: normalized, absent: 1)
    let inner = normalized.count
    var result = x.doubles()
    for row in 0..<x.shape.count(0..<axis) {
      var sum = 0.0
      for i in 0..<inner { sum += result[row * inner + i] * result[row * inner + i] }
      let root = (sum / Double(max(1, inner)) + Double(epsilon)).squareRoot()
      for i in 0..<inner { result[row * inner + i] *= scale[i] / root }
    }
    return [Tensor(operand.element, x.shape, doubles: result)]
  }
}

extension RMSNormalization: ImportableOperator {
  package static let importers =
    [
      Importer("RMSNormalization", 23...newestOpset) { node throws(ModelError) in
        node.ignore("stash_type")
        return RMSNormalization(
          axis: try node.attribute("axis", default: -1),
          epsilon: try node.attribute("epsilon", default: Float(1e-5)))
      }
    ] + fusedImporters
}

// MARK: - Kernel

extension RMSNormalization: PlannedOperator {
  package func kernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    guard request.isFloat32 else { return nil }
    return try RowNormalizer(.rms, axis: axis, epsilon: epsilon, request)?.kernel
  }
}

// MARK: - Gradient

extension RMSNormalization: DifferentiableOperator {
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    let (x, scale, gradient) = (try site.operand(0), try site.operand(1), try site.gradient())
    let rank = try x.shape.rank
    let axes = Array(try Shape.resolve(axis: axis, rank: rank)..<rank)
    let (byX, normal) = try (gradient * scale).normalised(
      x, axes: axes, epsilon: epsilon, centred: false)
    return [byX, try site.wants(1) ? (gradient * normal).reduced(to: scale.shape) : nil]
  }
}
