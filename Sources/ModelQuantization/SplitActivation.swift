import ModelIR
import ModelOperators
import TensorCore

/// An activation that no integer epilogue has becomes an operator of its own, so that calibration sees
/// what goes into it.
///
///     %y = Conv(%x, %w, %b) {activation=tanh}   →   %t = Conv(%x, %w, %b);  %y = Tanh(%t)
///
/// Exact up to the float32 rounding of %t.
struct SplitActivation: Rewrite {
  static let name = "split-activation"

  func replacement(for node: Node, at site: inout RewriteSite) throws(ModelError) -> [ValueID]? {
    guard var layer = node.op as? any WeightedOperator,
      let function = layer.epilogue.activation.separateOperator
    else { return nil }
    layer.epilogue = Epilogue()
    let sums = try site.graph.append(
      layer, named: "\(node.name).sums", to: site.operands, origin: node.origin)
    return try site.graph.append(function, named: node.name, to: sums, origin: node.origin)
  }
}

extension Activation {
  /// The operator of the same function, for functions that an integer epilogue does not have.
  var separateOperator: (any Operator)? {
    switch self {
    case .none, .relu, .leakyRelu, .prelu, .clip: nil
    case .sigmoid: Sigmoid()
    case .tanh: Tanh()
    case .gelu: Gelu()
    case .silu: Swish()
    case .hardSwish: HardSwish()
    }
  }
}
