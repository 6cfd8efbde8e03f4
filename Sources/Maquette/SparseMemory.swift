import ModelIR
import ModelOperators
import TensorCore

/// A memory that leaves out slots of small shares, and by how much what it reads can be off.
struct SparseMemory: Encodable, Sendable {
  let part: String
  let name: String
  let leastShare: Float
  let slots: Int
  /// No number that is read is off by more (`KV6`).
  let greatestLoss: Double
  /// The greatest magnitude among the values.
  let greatestValue: Double

  var text: String {
    "\(name) (\(part)): of \(slots) slots, those with a share below \(leastShare) are not read; "
      + "off by at most \(Figure.error(greatestLoss)), values by magnitude up to "
      + Figure.error(greatestValue)
  }

  /// Those of all parts.
  static func all(in parts: [ModelPart]) throws(ModelError) -> [SparseMemory] {
    var found: [SparseMemory] = []
    for part in parts {
      for node in part.graph.nodes {
        guard let op = node.op as? MemoryRead, op.leastShare > 0,
          let values = node.inputs[2].flatMap({ part.graph.constant($0) })
        else { continue }
        try values.load()
        found.append(
          SparseMemory(
            part: part.name, name: node.name, leastShare: op.leastShare, slots: values.shape[0],
            greatestLoss: op.greatestLoss(values),
            greatestValue: values.dequantized().doubles().map(abs).max() ?? 0))
      }
    }
    return found
  }

  /// The parts with a least share for all of their memories.
  ///
  /// - Throws: `usage` where there is no memory, `invalid-value` for a share that could leave out every slot of one.
  static func parts(
    _ parts: [ModelPart], leastShare: Float
  ) throws(ModelError) -> [ModelPart] {
    var found = false
    let made = try parts.map { (part) throws(ModelError) in
      let rewritten = try Rewriting(SetLeastShare(share: leastShare))
        .run(on: part.graph, limit: .max)
      found = found || !rewritten.sites.isEmpty
      var part = part
      part.graph = rewritten.graph
      return part
    }
    guard found else {
      throw ModelError(.usage, "--least-share: the model has no memory that Maquette knows")
    }
    return made
  }
}

/// Gives every memory a least share.
private struct SetLeastShare: Rewrite {
  static let name = "set-least-share"
  let share: Float

  func replacement(for node: Node, at site: inout RewriteSite) throws(ModelError) -> [ValueID]? {
    guard var op = node.op as? MemoryRead else { return nil }
    op.leastShare = share
    return try site.replace(node, by: op, to: site.operands)
  }
}
