import Foundation
import TensorCore

/// A function of a gate.
package enum GateFunction: Sendable, Hashable {
  case relu, tanh, sigmoid, softsign, softplus
  case affine(Double, Double)
  case leakyRelu(Double)
  case thresholdedRelu(Double)
  case scaledTanh(Double, Double)
  case hardSigmoid(Double, Double)
  case elu(Double)

  package func apply(_ x: Double) -> Double {
    switch self {
    case .relu: max(x, 0)
    case .tanh: Foundation.tanh(x)
    case .sigmoid: 1 / (1 + exp(-x))
    case .softsign: x / (1 + abs(x))
    case .softplus: log1p(exp(x))
    case .affine(let a, let b): a * x + b
    case .leakyRelu(let a): x < 0 ? a * x : x
    case .thresholdedRelu(let a): x >= a ? x : 0
    case .scaledTanh(let a, let b): a * Foundation.tanh(b * x)
    case .hardSigmoid(let a, let b): min(max(a * x + b, 0), 1)
    case .elu(let a): x >= 0 ? x : a * (exp(x) - 1)
    }
  }

  /// The functions that names and parameters say.
  static func list(
    _ names: [String], alphas: [Float], betas: [Float]
  ) throws(ModelError) -> [GateFunction] {
    var (alphas, betas) = (alphas[...], betas[...])
    func alpha(_ value: Double) -> Double { alphas.popFirst().map { Double($0) } ?? value }
    func beta(_ value: Double) -> Double { betas.popFirst().map { Double($0) } ?? value }
    var list: [GateFunction] = []
    for name in names {
      switch name.lowercased() {
      case "relu": list.append(.relu)
      case "tanh": list.append(.tanh)
      case "sigmoid": list.append(.sigmoid)
      case "softsign": list.append(.softsign)
      case "softplus": list.append(.softplus)
      case "affine": list.append(.affine(alpha(1), beta(0)))
      case "leakyrelu": list.append(.leakyRelu(alpha(0.01)))
      case "thresholdedrelu": list.append(.thresholdedRelu(alpha(1)))
      case "scaledtanh": list.append(.scaledTanh(alpha(1), beta(1)))
      case "hardsigmoid": list.append(.hardSigmoid(alpha(0.2), beta(0.5)))
      case "elu": list.append(.elu(alpha(1)))
      default: throw ModelError(.unsupportedAttribute, "RC4: no gate function '\(name)'")
      }
    }
    return list
  }
}
