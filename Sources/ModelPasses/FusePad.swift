import ModelIR
import ModelOperators
import TensorCore

/// Padding with what a window pads with anyway, into the window.
///
///     %1 = Pad(%x, [0, 0, 1, 1, 0, 0, 1, 1])
///     %2 = Conv(%1, w)                            →    %2 = Conv(%x, w) pads=[1, 1, 1, 1]
///
/// Zeros before a convolution, or before an average pool that counts its padding; −∞ before a maximum pool.
/// Only the spatial axes may be padded, and none cut. Exact.
package struct FusePad: Rewrite {
  package static let name = "fuse-pad"
  package init() {}

  package func replacement(
    for node: Node, at site: inout RewriteSite
  ) throws(ModelError) -> [ValueID]? {
    guard !site.isQuantized, let pad = site.producer(0, as: Pad.self), pad.op.mode == .constant,
      let source = pad.node.input(0), let rank = site.graph.type(source).rank, rank >= 3
    else { return nil }
    let filler: Double?
    if let id = pad.node.input(2) { filler = site.graph.scalar(id) } else { filler = 0 }
    guard
      let counts = try? Pad.counts(site.graph.facts(pad.node.inputs), rank: rank),
      counts.allSatisfy({ $0.before >= 0 && $0.after >= 0 }),
      counts.prefix(2).allSatisfy({ $0 == (0, 0) }), let filler
    else { return nil }
    let space = counts.dropFirst(2)
    let added = space.map(\.before) + space.map(\.after)
    guard let op = FusePad.padded(node.op, by: added, of: filler) else { return nil }
    let operands = setting(0, of: site.operands, to: source)
    guard
      let types = try? Graph.infer(op, site.graph.facts(operands)),
      try types == Graph.infer(node.op, site.graph.facts(site.operands))
    else { return nil }
    return try site.replace(node, by: op, to: operands)
  }

  /// The operator with a wider window; nil where it pads with something else.
  private static func padded(
    _ op: any Operator, by added: [Int], of filler: Double
  ) -> (any Operator)? {
    switch op {
    case var op as Convolution where filler == 0:
      guard let window = op.window.padded(by: added) else { return nil }
      op.window = window
      return op
    case var op as AveragePool where filler == 0:
      // Without padding of its own every element counts, so that the window need not do so yet.
      let isUnpadded =
        op.window.autoPad != .sameUpper && op.window.autoPad != .sameLower
        && op.window.pads.allSatisfy { $0 == 0 } && !op.ceiling
      guard op.countsPadding || isUnpadded, let window = op.window.padded(by: added) else {
        return nil
      }
      op.window = window
      op.countsPadding = true
      return op
    case var op as MaxPool where filler == -.infinity && !op.indices:
      guard let window = op.window.padded(by: added) else { return nil }
      op.window = window
      return op
    default: return nil
    }
  }
}

extension Window {
  /// The window with `added` to its pads; nil where its pads follow from the image.
  fileprivate func padded(by added: [Int]) -> Window? {
    guard autoPad == .explicit || autoPad == .valid else { return nil }
    var window = self
    let own = autoPad == .valid || pads.isEmpty ? [Int](repeating: 0, count: added.count) : pads
    guard own.count == added.count else { return nil }
    window.autoPad = .explicit
    window.pads = zip(own, added).map { $0 + $1 }
    return window
  }
}
