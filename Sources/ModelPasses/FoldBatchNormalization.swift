import ModelIR
import ModelOperators
import TensorCore

/// Batch normalisation with constant statistics into the convolution or matrix product beside it.
///
///     %1 = Conv(%x, w, b)                              %2 = Conv(%x, w′, b′)
///     %2 = BatchNormalization(%1, γ, β, μ, v)     →    w′ = w · γ/√(v + ε), b′ = (b − μ) · γ/√(v + ε) + β
///
/// and where it comes first, w′ = w · γ/√(v + ε) along the input channels and b′ = b + Σ w · (β − μ · γ/√(v + ε)):
/// there the convolution must not pad, because padding is zero after the normalisation and not before.
/// The new weights are computed in `double` and rounded once, so results agree to about 1e-6 of their scale.
package struct FoldBatchNormalization: Rewrite {
  package static let name = "fold-batch-normalization"
  private let folding = ChannelFolding { $0 is BatchNormalization }
  package init() {}

  package func replacement(
    for node: Node, at site: inout RewriteSite
  ) throws(ModelError) -> [ValueID]? {
    try folding.replacement(for: node, at: &site)
  }
}
