import ModelIR
import ModelOperators
import TensorCore

/// Sums, differences, products and quotients with one constant for each channel, or one for all, into the
/// convolution or matrix product beside them.
///
///     %1 = Linear(%x, w)
///     %2 = Add(%1, b)            →    %3 = Linear(%x, w · 16, b · 16)
///     %3 = Mul(%2, 16)
///
/// Before a convolution a factor always folds, a term only where the convolution does not pad. The new
/// weights are computed in `double` and rounded once, so results agree to about 1e-6 of their scale;
/// powers of two and new biases are exact.
package struct FoldChannelArithmetic: Rewrite {
  package static let name = "fold-channel-arithmetic"
  private let folding = ChannelFolding { $0 is Add || $0 is Sub || $0 is Mul || $0 is Div }
  package init() {}

  package func replacement(
    for node: Node, at site: inout RewriteSite
  ) throws(ModelError) -> [ValueID]? {
    try folding.replacement(for: node, at: &site)
  }
}
