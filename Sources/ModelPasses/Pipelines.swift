import ModelIR
import TensorCore

/// Every pass, in the order in which `portable` runs them.
///
/// First what makes other things visible (aliases, constants, extents, branches that are known), then what recognises a function in its
/// parts, while the parts are still apart; then the one form of a thing that has several; then what folds into
/// weights, because only then is it known which sums and activations are left to fuse, and a memory has one form. A residual
/// comes before the activation that follows it.
package let allPasses: [any Pass] = [
  RemoveDeadCode(),
  Rewriting(RemoveIdentity()),
  Rewriting(FoldShapeArithmetic()),
  Rewriting(FoldConstants()),
  Rewriting(FoldCaptures()),
  Rewriting(InlineIf()),
  MergeCommonSubexpressions(),
  Rewriting(RecogniseNormalizeL2()),
  Rewriting(RecogniseGelu()),
  Rewriting(RecogniseHardSwish()),
  Rewriting(RecogniseSilu()),
  Rewriting(RecogniseLayerNormalization()),
  Rewriting(RecogniseAttention()),
  Rewriting(RecogniseGlobalPool()),
  Rewriting(RemoveExpand()),
  Rewriting(RemoveZeroState()),
  Rewriting(MergeReshapes()),
  Rewriting(MergeTransposes()),
  Rewriting(FuseTranspose()),
  Rewriting(FusePad()),
  Rewriting(MakeLinear()),
  Rewriting(FoldBatchNormalization()),
  Rewriting(FoldChannelArithmetic()),
  Rewriting(ConvolveBeforeResize()),
  RecogniseMemory(),
  Rewriting(FuseResidualAdd()),
  Rewriting(FuseActivation()),
]

extension Pipeline {
  /// What every model goes through before it is stored or quantized: values stay, and no pass knows which
  /// machine will run them.
  package static let portable = Pipeline(allPasses)
}

extension Pipeline {
  /// What a float graph with bound inputs goes through: nothing that rounds otherwise than before.
  package static let bound = Pipeline([
    RemoveDeadCode(),
    Rewriting(FoldShapeArithmetic()),
    MergeCommonSubexpressions(),
    Rewriting(RemoveExpand()),
  ])
}
