import ModelIR
import ModelOperators
import TensorCore

/// A node that reads constants only, by its value.
///
///     %1 = Transpose(w[2×3])    →    %1 = constant [3×2]
///
/// Exact: the value is what the operator's reference gives. Left alone: random numbers, quantized values,
/// operators that hold graphs, which may run for long,
/// and results that would be more than ``growth`` times as large as the operands, and larger than
/// ``freeElements``, such as an `Expand` of a scalar to an image.
package struct FoldConstants: Rewrite {
  package static let name = "fold-constants"
  /// How many times larger than its operands a folded result may be.
  static let growth = 4
  /// Results of so few elements always fold.
  static let freeElements = 1 << 14
  /// Leaves integers that a file stores with scales for those who run on them.
  private let keepsScaledWeights: Bool
  package init() { keepsScaledWeights = false }
  package init(keepsScaledWeights: Bool) { self.keepsScaledWeights = keepsScaledWeights }

  package func replacement(
    for node: Node, at site: inout RewriteSite
  ) throws(ModelError) -> [ValueID]? {
    guard node.op.isDeterministic, !site.isQuantized, !(node.op is any GraphOperator) else {
      return nil
    }
    if keepsScaledWeights, node.op is DequantizeLinear { return nil }
    var tensors: [Tensor?] = []
    var elements = 0
    for operand in site.operands {
      guard let operand else {
        tensors.append(nil)
        continue
      }
      guard let constant = site.graph.constant(operand) else { return nil }
      tensors.append(constant)
      elements += constant.count
    }
    let facts = site.graph.facts(site.operands)
    let allowed = max(FoldConstants.freeElements, elements * FoldConstants.growth)
    for type in try Graph.infer(node.op, facts) {
      if type.isSequence { return nil }
      // What has no shape yet depends on the content and is no larger than the operands.
      if let shape = type.shape, shape.count > allowed { return nil }
    }
    let results = try node.op.reference(Operands(tensors))
    guard results.count >= node.outputs.count else { return nil }
    return zip(results, site.outputNames).map { site.graph.addConstant($0, named: $1) }
  }
}
