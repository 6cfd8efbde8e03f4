import ModelIR
import TensorCore

extension Epilogue {
  /// Whether the activation's slope is known from its result; elsewhere the activation must be a node of its
  /// own before a gradient is made.
  package var isReadFromOutput: Bool {
    switch activation {
    case .none, .relu, .clip, .sigmoid, .tanh: true
    case .leakyRelu: alpha > 0
    case .prelu, .gelu, .silu, .hardSwish: false
    }
  }

  /// The activation as an operator.
  ///
  /// - Parameter slope: of `prelu`.
  /// - Returns: the operator and its operands after the first.
  package func standalone<Value>(slope: Value?) -> (op: any Operator, operands: [Value?])? {
    switch activation {
    case .leakyRelu: (LeakyRelu(alpha: alpha), [])
    case .prelu: (PRelu(), [slope])
    case .gelu: (Gelu(), [])
    case .silu: (Swish(), [])
    case .hardSwish: (HardSwish(), [])
    case .none, .relu, .clip, .sigmoid, .tanh: nil
    }
  }

  /// The gradient by what the activation is applied to.
  func gradient(at site: GradientSite) throws(ModelError) -> Term {
    let (gradient, y) = (try site.gradient(), site.output())
    switch activation {
    case .none: return gradient
    case .relu: return try gradient.gated(by: y)
    case .leakyRelu where alpha > 0:
      return try gradient * Double(alpha) + (gradient * (1 - Double(alpha))).gated(by: y)
    case .clip:
      let raised = lower == -.infinity ? gradient : try gradient.gated(by: y - Double(lower))
      return upper == .infinity ? raised : try raised.gated(by: Double(upper) - y)
    case .sigmoid: return try gradient * y * (1 - y)
    case .tanh: return try gradient * (1 - y * y)
    case .leakyRelu, .prelu, .gelu, .silu, .hardSwish:
      throw ModelError(
        .unsupportedFeature,
        "GR3: the gradient of a fused \(activation) needs what it is applied to")
    }
  }

  /// The gradients by bias, residual and slope, of which the last is never there; `axis` counts channels.
  func gradients(
    of bySums: Term, at site: GradientSite, from first: Int, axis: Int
  ) throws(ModelError) -> [Term?] {
    let others = (0..<(try bySums.shape.rank)).filter { $0 != axis }
    return [
      try site.wants(first) ? bySums.sum(others, keep: false) : nil,
      site.wants(first + 1) ? bySums : nil, nil,
    ]
  }
}
