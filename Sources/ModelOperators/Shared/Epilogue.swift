import Foundation
import ModelIR
import TensorCore

/// The functions that a producing operator can apply to its own result.
package enum Activation: String, StringAttribute, Hashable {
  case none, relu, leakyRelu, prelu, clip, sigmoid, tanh, gelu, silu, hardSwish
}

/// What a convolution or matrix product does to its sums before they are stored: add the bias, add the
/// residual, apply the activation, in this order (`EP1`).
///
/// The operators that have one take it as trailing operands: bias (one value for each channel),
/// residual (the shape of the output) and slope (of `prelu`: one value, or one for each channel).
package struct Epilogue: Sendable, Hashable {
  package var activation = Activation.none
  /// Slope of `leakyRelu` below zero.
  package var alpha: Float = 0.01
  /// Bounds of `clip`.
  package var lower = -Float.infinity
  package var upper = Float.infinity

  package init() {}
  package init(
    _ activation: Activation, alpha: Float = 0.01, lower: Float = -.infinity,
    upper: Float = .infinity
  ) {
    self.activation = activation
    self.alpha = alpha
    self.lower = lower
    self.upper = upper
  }

  /// The activation of one value; `slope` is read by `prelu` only.
  package func apply(_ x: Double, slope: Double = 0) -> Double {
    switch activation {
    case .none: x
    case .relu: x.isNaN ? x : max(x, 0)
    case .leakyRelu: x < 0 ? x * Double(alpha) : x
    case .prelu: x < 0 ? x * slope : x
    case .clip: x.isNaN ? x : min(max(x, Double(lower)), Double(upper))
    case .sigmoid: 1 / (1 + exp(-x))
    case .tanh: Foundation.tanh(x)
    case .gelu: 0.5 * x * (1 + erf(x / 2.squareRoot()))
    case .silu: x / (1 + exp(-x))
    case .hardSwish: x * min(max(x / 6 + 0.5, 0), 1)
    }
  }
}

/// Operands that an ``Epilogue`` reads, wherever an operator keeps them.
package struct EpilogueOperands<Element> {
  package let bias: Element?
  package let residual: Element?
  package let slope: Element?

  /// The three operands that start at `index`.
  package init(_ operands: Operands<Element>, from index: Int) {
    bias = operands.optional(index)
    residual = operands.optional(index + 1)
    slope = operands.optional(index + 2)
  }

  package init(bias: Element?, residual: Element?, slope: Element?) {
    self.bias = bias
    self.residual = residual
    self.slope = slope
  }
}

extension Epilogue {
  /// Rejects operands that do not fit an output of these dimensions, whose channels are along `axis`.
  func check(
    _ operands: EpilogueOperands<Fact>, output: TensorType, axis: Int
  ) throws(ModelError) {
    guard let dimensions = output.dimensions else { return }
    let channels = dimensions[axis]
    for (name, fact) in [
      ("bias", operands.bias), ("residual", operands.residual), ("slope", operands.slope),
    ] {
      guard let fact, fact.element != output.element else { continue }
      throw ModelError(
        .typeMismatch, "EP2: the \(name) is \(fact.element), the result \(output.element)")
    }
    if let bias = operands.bias {
      let given = try bias.dimensions()
      guard given.count == 1, given[0].mayEqual(channels) else {
        throw ModelError(
          .shapeMismatch, "EP3: a bias of \(bias.type) does not fit \(channels) channels")
      }
    }
    if let residual = operands.residual {
      let given = try residual.dimensions()
      guard given.count == dimensions.count,
        zip(given, dimensions).allSatisfy({ $0.mayEqual($1) })
      else {
        throw ModelError(
          .shapeMismatch, "EP4: a residual of \(residual.type) does not fit \(output)")
      }
    }
    guard (operands.slope != nil) == (activation == .prelu) else {
      throw ModelError(.invalidValue, "EP5: prelu, and nothing else, has a slope")
    }
    if let slope = operands.slope {
      let given = try slope.dimensions()
      guard given.count == 1, given[0] == 1 || given[0].mayEqual(channels) else {
        throw ModelError(
          .shapeMismatch, "EP5: a slope of \(slope.type) does not fit \(channels) channels")
      }
    }
    if activation == .clip, lower.isNaN || upper.isNaN || lower > upper {
      throw ModelError(.invalidValue, "EP6: clip from \(lower) to \(upper)")
    }
  }

  /// The result of sums of `shape`, whose channels are along `axis`.
  func finish(
    _ sums: [Double], _ shape: Shape, axis: Int, _ operands: EpilogueOperands<Tensor>
  ) -> [Double] {
    let bias = operands.bias?.doubles()
    let residual = operands.residual?.doubles()
    let slope = operands.slope?.doubles()
    if bias == nil && residual == nil && activation == .none { return sums }
    let inner = shape.count(axis + 1..<shape.rank)
    let channels = shape[axis]
    var result = sums
    for index in result.indices {
      let channel = index / inner % channels
      var value = result[index]
      if let bias { value += bias[channel] }
      if let residual { value += residual[index] }
      var factor = 0.0
      if let slope { factor = slope[slope.count == 1 ? 0 : channel] }
      result[index] = apply(value, slope: factor)
    }
    return result
  }
}
