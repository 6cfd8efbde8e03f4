import ModelIR
import TensorCore

/// Equal nodes on equal operands, and equal constants, once.
///
///     %1 = Relu(%x)
///     %2 = Relu(%x)         →    %1 = Relu(%x)
///     %3 = Add(%1, %2)           %3 = Add(%1, %1)
///
/// Exact. Random numbers are left alone.
package struct MergeCommonSubexpressions: Pass {
  package let name = "merge-common-subexpressions"
  package init() {}

  private struct Key: Hashable {
    let kind: String
    let operands: [ValueID?]
    let quantizations: [QuantizationParameters?]
  }

  package func run(on graph: Graph, limit: Int) throws(ModelError) -> Rewritten {
    var sites: [String] = []
    var known: [Key: [Node]] = [:]
    // Values of the new graph whose content another value, which stands for them, has too.
    var canonical: [ValueID: ValueID]?
    let merged = try graph.rebuilt { (node, operands, new) throws(ModelError) in
      let aliases = canonical ?? MergeCommonSubexpressions.equalConstants(of: new)
      canonical = aliases
      guard sites.count < limit else { return nil }
      let shared = operands.map { $0.map { aliases[$0] ?? $0 } }
      let quantizations = graph.quantizations(of: node)
      let key = Key(kind: type(of: node.op).name, operands: shared, quantizations: quantizations)
      if node.op.isDeterministic,
        let twin = known[key]?.first(where: { $0.op.isEqual(to: node.op) })
      {
        sites.append(node.name)
        return twin.outputs
      }
      let made = try new.append(
        node.op, named: node.name, to: shared, origin: node.origin,
        outputNames: node.outputs.map { graph[$0].name }, quantizedAs: quantizations)
      if shared != operands { sites.append(node.name) }
      if let node = new.nodes.last { known[key, default: []].append(node) }
      return made
    }
    return Rewritten(sites.isEmpty ? graph : try merged.withoutDeadCode(), sites: sites)
  }

  private static func equalConstants(of graph: Graph) -> [ValueID: ValueID] {
    var aliases: [ValueID: ValueID] = [:]
    var known: [Int: [ValueID]] = [:]
    for index in graph.values.indices {
      let id = ValueID(index: index)
      guard let tensor = graph.constant(id) else { continue }
      var hasher = Hasher()
      hasher.combine(tensor.type)
      hasher.combine(bytes: UnsafeRawBufferPointer(rebasing: tensor.bytes.prefix(1 << 10)))
      let hash = hasher.finalize()
      if let twin = known[hash]?.first(where: { graph.constant($0) == tensor }) {
        aliases[id] = twin
      } else {
        known[hash, default: []].append(id)
      }
    }
    return aliases
  }
}
