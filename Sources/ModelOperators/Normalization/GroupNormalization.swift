import ModelIR
import TensorCore

/// Normalisation of groups of neighbouring channels by their own statistics:
/// y = scale · (x − mean) / √(variance + ε) + bias.
///
/// Operands: X [N, C, …], scale and bias with one value for each channel, or for each group where
/// `scalesGroups` is set (as before opset 21). Clauses `GN1`… of `formats/operators.md`; ONNX
/// GroupNormalization 18–21.
package struct GroupNormalization: Operator {
  package static let name = "GroupNormalization"
  package static let fields = [
    Field("groups", \GroupNormalization.groups),
    Field("epsilon", \GroupNormalization.epsilon),
    Field("scalesGroups", \GroupNormalization.scalesGroups),
  ]

  package var groups = 1
  package var epsilon: Float = 1e-5
  package var scalesGroups = false

  package init() {}
  package init(groups: Int, epsilon: Float = 1e-5, scalesGroups: Bool = false) {
    self.groups = groups
    self.epsilon = epsilon
    self.scalesGroups = scalesGroups
  }
}

extension GroupNormalization {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(3...3)
    let x = try inputs.required(0)
    guard x.element.isFloatingPoint else {
      throw ModelError(.typeMismatch, "GN1: normalisation of \(x.element)")
    }
    let dimensions = try x.dimensions()
    guard dimensions.count >= 2, groups >= 1, (dimensions[1].value ?? groups) % groups == 0 else {
      throw ModelError(.shapeMismatch, "GN2: \(groups) groups of \(x.type)")
    }
    for index in 1...2 {
      let operand = try inputs.required(index)
      let given = try operand.dimensions()
      guard operand.element == x.element, given.count == 1,
        given[0].mayEqual(scalesGroups ? .fixed(groups) : dimensions[1])
      else {
        throw ModelError(
          .shapeMismatch, "GN3: operand \(index) is \(operand.type) for \(x.type)")
      }
    }
    return [x.type]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    let scale = try inputs.required(1).doubles()
    let bias = try inputs.required(2).doubles()
    let plane = x.shape.count(2..<x.shape.rank)
    let inner = x.shape[1] / groups * plane
    let values = x.doubles()
    var result = values
    for group in 0..<x.shape[0] * groups {
      let range = group * inner..<(group + 1) * inner
      let (mean, variance) = moments(values[range])
      let deviation = (variance + Double(epsilon)).squareRoot()
      for i in range {
        let c = scalesGroups ? group % groups : i / plane % x.shape[1]
        result[i] = scale[c] * (values[i] - mean) / deviation + bias[c]
      }
    }
    return [Tensor(x.element, x.shape, doubles: result)]
  }
}

extension GroupNormalization: ImportableOperator {
  package static let importers = [
    Importer("GroupNormalization", 18...20) { node throws(ModelError) in
      GroupNormalization(
        groups: try node.required(attribute: "num_groups"),
        epsilon: try node.attribute("epsilon", default: Float(1e-5)), scalesGroups: true)
    },
    Importer("GroupNormalization", 21...newestOpset) { node throws(ModelError) in
      node.ignore("stash_type")
      return GroupNormalization(
        groups: try node.required(attribute: "num_groups"),
        epsilon: try node.attribute("epsilon", default: Float(1e-5)))
    },
  ]
}

// MARK: - Gradient

extension GroupNormalization: DifferentiableOperator {
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    let (x, gradient) = (try site.operand(0), try site.gradient())
    let shape = try x.shape
    // Batch, groups, channels of a group, positions.
    let split = try Shape([shape[0], groups, shape[1] / groups, shape.count(2..<shape.rank)])
    let line = scalesGroups ? [1, groups, 1, 1] : [1, groups, shape[1] / groups, 1]
    let others = scalesGroups ? [0, 2, 3] : [0, 3]
    let errors = try gradient.reshaped(to: split)
    let (byX, normal) = try (errors * site.operand(1).reshaped(to: line)).normalised(
      x.reshaped(to: split), axes: [2, 3], epsilon: epsilon)
    let own = try site.operand(1).shape
    return [
      try byX.reshaped(to: shape),
      try site.wants(1) ? (errors * normal).sum(others).reshaped(to: own) : nil,
      try site.wants(2) ? errors.sum(others).reshaped(to: own) : nil,
    ]
  }
}
