import ModelIR
import ModelOperators
import TensorCore

/// Nodes whose result is one of their operands.
///
///     %1 = Identity(%x)
///     %2 = Relu(%1)        →    %2 = Relu(%x)
///
/// Identity; Cast to the same type; Reshape, Flatten, Squeeze, Unsqueeze, Expand, Slice forwards and Concat
/// of one that change no extent; Transpose that keeps the order; Pad by nothing; and x + 0, x − 0, x · 1, x / 1
/// where the constant broadcasts to x. Exact, but that −0 + 0 was 0 and is now −0.
package struct RemoveIdentity: Rewrite {
  package static let name = "remove-identity"
  package init() {}

  package func replacement(
    for node: Node, at site: inout RewriteSite
  ) throws(ModelError) -> [ValueID]? {
    guard node.outputs.count == 1 else { return nil }
    if let index = RemoveIdentity.neutralOperand(of: node, at: site) {
      let data = 1 - index
      return try keepsType(node, data, at: site) ? site.operand(data).map { [$0] } : nil
    }
    guard RemoveIdentity.movesNothing(node, at: site), try keepsType(node, 0, at: site) else {
      return nil
    }
    return site.operand(0).map { [$0] }
  }

  /// True where the result has the type of operand `index`, every extent of which is known or named.
  private func keepsType(
    _ node: Node, _ index: Int, at site: RewriteSite
  ) throws(ModelError) -> Bool {
    guard let operand = site.type(index), let dimensions = operand.dimensions,
      !dimensions.contains(.unknown)
    else { return node.op is Identity }
    let result = try Graph.infer(
      node.op, site.graph.facts(site.operands), quantizedAs: site.quantizations)
    return result[0] == operand
  }

  /// True where elements stay in place if the shape stays.
  private static func movesNothing(_ node: Node, at site: RewriteSite) -> Bool {
    switch node.op {
    case is Identity, is Reshape, is Flatten, is Squeeze, is Unsqueeze, is Expand, is Cast: true
    case let op as Transpose:
      site.type(0)?.rank.map { (try? op.order(rank: $0)) == Array(0..<$0) } ?? false
    case is Slice:
      site.operand(4) == nil || (site.constant(4)?.integers().allSatisfy { $0 > 0 } ?? false)
    case is Concat: site.operands.count == 1
    case is Pad:
      (try? Pad.counts(site.graph.facts(site.operands), rank: site.type(0)?.rank ?? 0))?
        .allSatisfy { $0 == (0, 0) } ?? false
    default: false
    }
  }

  /// The operand that leaves the other one as it is.
  private static func neutralOperand(of node: Node, at site: RewriteSite) -> Int? {
    guard site.operands.count == 2 else { return nil }
    func isAll(_ value: Double, _ index: Int) -> Bool {
      guard let tensor = site.constant(index), tensor.quantization == nil, tensor.count > 0 else {
        return false
      }
      return tensor.doubles().allSatisfy { $0 == value }
    }
    switch node.op {
    case is Add: return isAll(0, 1) ? 1 : isAll(0, 0) ? 0 : nil
    case is Sub: return isAll(0, 1) ? 1 : nil
    case is Mul: return isAll(1, 1) ? 1 : isAll(1, 0) ? 0 : nil
    case is Div: return isAll(1, 1) ? 1 : nil
    default: return nil
    }
  }
}
