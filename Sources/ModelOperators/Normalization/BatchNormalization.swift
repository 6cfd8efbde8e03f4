import ModelIR
import TensorCore

/// Normalisation with stored statistics: y = scale · (x − mean) / √(variance + ε) + bias, one value of
/// each for a channel (axis 1).
///
/// Operands: X, scale, bias, mean, variance. With `training` the statistics are the batch's own, and
/// outputs 1 and 2 are the running ones: momentum · old + (1 − momentum) · new. Clauses `BN1`… of
/// `formats/operators.md`; ONNX BatchNormalization 7–15.
package struct BatchNormalization: Operator {
  package static let name = "BatchNormalization"
  package static let fields = [
    Field("epsilon", \BatchNormalization.epsilon),
    Field("momentum", \BatchNormalization.momentum),
    Field("training", \BatchNormalization.training),
  ]

  package var epsilon: Float = 1e-5
  package var momentum: Float = 0.9
  package var training = false

  package init() {}
  package init(epsilon: Float, momentum: Float = 0.9, training: Bool = false) {
    self.epsilon = epsilon
    self.momentum = momentum
    self.training = training
  }
}

// MARK: - Types

extension BatchNormalization {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(5...5)
    let x = try inputs.required(0)
    guard x.element.isFloatingPoint else {
      throw ModelError(.typeMismatch, "BN1: batch normalisation of \(x.element)")
    }
    let dimensions = try x.dimensions()
    // A vector has one channel.
    let channels = dimensions.count < 2 ? 1 : dimensions[1]
    for index in 1...4 {
      let operand = try inputs.required(index)
      guard operand.element.isFloatingPoint else {
        throw ModelError(.typeMismatch, "BN1: operand \(index) is \(operand.element)")
      }
      let given = try operand.dimensions()
      guard given.count == 1, given[0].mayEqual(channels) else {
        throw ModelError(
          .shapeMismatch, "BN2: operand \(index) is \(operand.type) for \(channels) channels")
      }
    }
    let mean = try inputs.required(3).type
    let variance = try inputs.required(4).type
    return training ? [x.type, mean, variance] : [x.type]
  }

  package func outputElements(_ inputs: Operands<Fact>) throws(ModelError) -> [ElementType] {
    let x = try inputs.required(0).element
    guard training else { return [x] }
    return [x, try inputs.required(3).element, try inputs.required(4).element]
  }
}

// MARK: - Reference

extension BatchNormalization {
  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    let scale = try inputs.required(1).doubles()
    let bias = try inputs.required(2).doubles()
    let (means, variances) = (try inputs.required(3), try inputs.required(4))
    let inner = x.shape.count(min(2, x.shape.rank)..<x.shape.rank)
    let channels = scale.count
    let values = x.doubles()
    var mean = means.doubles()
    var variance = variances.doubles()
    var running: [Tensor] = []
    if training {
      let own = BatchNormalization.statistics(of: values, channels: channels, inner: inner)
      let keep = Double(momentum)
      running = [
        Tensor(
          means.element, means.shape,
          doubles: zip(mean, own.mean).map { $0 * keep + $1 * (1 - keep) }),
        Tensor(
          variances.element, variances.shape,
          doubles: zip(variance, own.variance).map { $0 * keep + $1 * (1 - keep) }),
      ]
      (mean, variance) = own
    }
    var result = values
    for index in result.indices {
      let c = index / inner % channels
      let deviation = (variance[c] + Double(epsilon)).squareRoot()
      result[index] = scale[c] * (values[index] - mean[c]) / deviation + bias[c]
    }
    return [Tensor(x.element, x.shape, doubles: result)] + running
  }

  /// Mean and population variance of each channel.
  private static func statistics(
    of values: [Double], channels: Int, inner: Int
  ) -> (mean: [Double], variance: [Double]) {
    var mean = [Double](repeating: 0, count: channels)
    var variance = mean
    let count = Double(max(1, values.count / max(1, channels)))
    for index in values.indices { mean[index / inner % channels] += values[index] / count }
    for index in values.indices {
      let c = index / inner % channels
      variance[c] += (values[index] - mean[c]) * (values[index] - mean[c]) / count
    }
    return (mean, variance)
  }
}

// MARK: - Import

extension BatchNormalization: ImportableOperator {
  package static let importers = [
    Importer("BatchNormalization", 6...13) { node throws(ModelError) in
      if node.version < 7, try !node.flag("is_test", default: false) {
        throw ModelError(.unsupportedFeature, "BN3: training before opset 14")
      }
      guard try node.attribute("spatial", default: 1) == 1 else {
        throw ModelError(.unsupportedAttribute, "BN3: statistics for each element (spatial = 0)")
      }
      guard node.outputNames.dropFirst().allSatisfy(\.isEmpty) else {
        throw ModelError(.unsupportedFeature, "BN3: training before opset 14")
      }
      return BatchNormalization(
        epsilon: try node.attribute("epsilon", default: Float(1e-5)),
        momentum: try node.attribute("momentum", default: Float(0.9)))
    },
    Importer("BatchNormalization", 14...newestOpset) { node throws(ModelError) in
      BatchNormalization(
        epsilon: try node.attribute("epsilon", default: Float(1e-5)),
        momentum: try node.attribute("momentum", default: Float(0.9)),
        training: try node.flag("training_mode", default: false))
    },
  ]
}

// MARK: - Gradient

extension BatchNormalization: DifferentiableOperator {
  /// The running statistics count as constants.
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    let (x, gradient) = (try site.operand(0), try site.gradient())
    let shape = try x.shape
    let channels = try site.operand(1).shape
    var line = [Int](repeating: 1, count: shape.rank)
    if shape.rank > 1 { line[1] = shape[1] }
    let others = (0..<shape.rank).filter { $0 != 1 || shape.rank < 2 }
    let byNormal = try gradient * site.operand(1).reshaped(to: line)
    let (byX, normal): (Term, Term)
    if training {
      (byX, normal) = try byNormal.normalised(x, axes: others, epsilon: epsilon)
    } else {
      let variance = try site.operand(4).reshaped(to: line)
      let deviation = try (variance + Double(epsilon)).applying(Sqrt())
      normal = try (x - site.operand(3).reshaped(to: line)) / deviation
      byX = try byNormal / deviation
    }
    return [
      byX, try site.wants(1) ? (gradient * normal).sum(others).reshaped(to: channels) : nil,
      try site.wants(2) ? gradient.sum(others).reshaped(to: channels) : nil, nil, nil,
    ]
  }
}
