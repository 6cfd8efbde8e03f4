import ModelIR
import TensorCore

/// Normalisation of each plane by its own statistics: y = scale · (x − mean) / √(variance + ε) + bias,
/// one scale and bias for each channel.
///
/// Operands: X [N, C, …], scale [C], bias [C]. Clauses `IN1`… of `formats/operators.md`; ONNX
/// InstanceNormalization 6–22.
package struct InstanceNormalization: Operator {
  package static let name = "InstanceNormalization"
  package static let fields = [Field("epsilon", \InstanceNormalization.epsilon)]

  package var epsilon: Float = 1e-5

  package init() {}
  package init(epsilon: Float) { self.epsilon = epsilon }
}

extension InstanceNormalization {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(3...3)
    let x = try inputs.required(0)
    guard x.element.isFloatingPoint else {
      throw ModelError(.typeMismatch, "IN1: normalisation of \(x.element)")
    }
    let dimensions = try x.dimensions()
    guard dimensions.count >= 2 else {
      throw ModelError(.shapeMismatch, "IN2: planes of \(x.type)")
    }
    for index in 1...2 {
      let operand = try inputs.required(index)
      let given = try operand.dimensions()
      guard operand.element == x.element, given.count == 1, given[0].mayEqual(dimensions[1]) else {
        throw ModelError(
          .shapeMismatch, "IN2: operand \(index) is \(operand.type) for \(x.type)")
      }
    }
    return [x.type]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    let scale = try inputs.required(1).doubles()
    let bias = try inputs.required(2).doubles()
    let inner = x.shape.count(2..<x.shape.rank)
    let values = x.doubles()
    var result = values
    for plane in 0..<x.shape.count(0..<2) {
      let range = plane * inner..<(plane + 1) * inner
      let (mean, variance) = moments(values[range])
      let deviation = (variance + Double(epsilon)).squareRoot()
      let c = plane % scale.count
      for i in range { result[i] = scale[c] * (values[i] - mean) / deviation + bias[c] }
    }
    return [Tensor(x.element, x.shape, doubles: result)]
  }
}

extension InstanceNormalization: ImportableOperator {
  package static let importers = [
    Importer("InstanceNormalization", 6...newestOpset) { node throws(ModelError) in
      InstanceNormalization(epsilon: try node.attribute("epsilon", default: Float(1e-5)))
    }
  ]
}

// MARK: - Gradient

extension InstanceNormalization: DifferentiableOperator {
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    let (x, gradient) = (try site.operand(0), try site.gradient())
    let shape = try x.shape
    let line = [1, shape[1]] + [Int](repeating: 1, count: shape.rank - 2)
    let others = [0] + Array(2..<shape.rank)
    let (byX, normal) = try (gradient * site.operand(1).reshaped(to: line)).normalised(
      x, axes: Array(2..<shape.rank), epsilon: epsilon)
    return [
      byX, try site.wants(1) ? (gradient * normal).sum(others, keep: false) : nil,
      try site.wants(2) ? gradient.sum(others, keep: false) : nil,
    ]
  }
}
