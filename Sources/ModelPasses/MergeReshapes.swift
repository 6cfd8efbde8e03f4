import ModelIR
import ModelOperators
import TensorCore

/// Chains of operators that only give a tensor another shape, as one `Reshape` to a constant.
///
///     %1 = Squeeze(%x[N×80×1×1], 3)
///     %2 = Squeeze(%1, 2)              →    %2 = Reshape(%x, [−1, 80])
///
/// Reshape, Flatten, Squeeze, Unsqueeze, and Transpose that moves axes of extent 1 only. An extent that has
/// only a name is −1 in the target, or 0 where several have; so is the only one that is not known at all, in the
/// target of a `Reshape` that is computed. Exact.
package struct MergeReshapes: Rewrite {
  package static let name = "merge-reshapes"
  package init() {}

  package func replacement(
    for node: Node, at site: inout RewriteSite
  ) throws(ModelError) -> [ValueID]? {
    guard let input = site.operand(0), MergeReshapes.onlyReshapes(node, of: input, in: site.graph)
    else { return nil }
    var source = input
    while let producer = site.graph.producer(of: source), let next = producer.input(0),
      MergeReshapes.onlyReshapes(producer, of: next, in: site.graph)
    {
      source = next
    }
    if source == input, let op = node.op as? Reshape, !op.allowZero, site.constant(1) != nil {
      return nil
    }
    let wanted = try Graph.infer(
      node.op, site.graph.facts(site.operands), quantizedAs: site.quantizations)
    guard let dimensions = wanted[0].dimensions else { return nil }
    guard !dimensions.contains(.unknown) else {
      return try fixTarget(of: node, as: wanted, at: &site)
    }
    guard let target = MergeReshapes.target(dimensions, from: site.graph.type(source).dimensions)
    else { return nil }
    let facts = Operands<Fact>([site.graph.fact(source), Fact(Tensor(vector: target))])
    guard try Graph.infer(Reshape(), facts, quantizedAs: site.quantizations) == wanted else {
      return nil
    }
    let shape = site.graph.addConstant(Tensor(vector: target), named: "\(node.name).shape")
    return try site.replace(node, by: Reshape(), to: [source, shape])
  }

  /// A computed target of which all extents but one are known.
  private func fixTarget(
    of node: Node, as wanted: [TensorType], at site: inout RewriteSite
  ) throws(ModelError) -> [ValueID]? {
    guard node.op is Reshape, let target = site.operand(1), site.graph.constant(target) == nil,
      let extents = site.graph.fact(target).extents,
      extents.count(where: { $0.value == nil }) == 1,
      extents.allSatisfy({ $0.value ?? 1 > 0 })
    else { return nil }
    let fixed = Tensor(vector: extents.map { Int64($0.value ?? -1) })
    let facts = Operands<Fact>([site.operand(0).map { site.graph.fact($0) }, Fact(fixed)])
    guard try Graph.infer(Reshape(), facts, quantizedAs: site.quantizations) == wanted else {
      return nil
    }
    let id = site.graph.addConstant(fixed, named: "\(node.name).shape")
    return try site.replace(node, by: Reshape(), to: [site.operand(0), id])
  }

  private static func onlyReshapes(_ node: Node, of input: ValueID, in graph: Graph) -> Bool {
    switch node.op {
    case is Reshape, is Flatten, is Squeeze, is Unsqueeze: return true
    case let op as Transpose:
      guard let dimensions = graph.type(input).dimensions,
        let order = try? op.order(rank: dimensions.count)
      else { return false }
      let moving = order.filter { dimensions[$0] != 1 }
      return moving == moving.sorted()
    default: return false
    }
  }

  /// The operand of `Reshape` that gives `dimensions`; nil where there is none.
  private static func target(_ dimensions: [Dimension], from source: [Dimension]?) -> [Int64]? {
    let named = dimensions.indices.filter { dimensions[$0].value == nil }
    var target: [Int64] = []
    var free = named.count == 1
    for (axis, dimension) in dimensions.enumerated() {
      if let value = dimension.value {
        // A zero would copy the source's extent.
        guard value != 0 else { return nil }
        target.append(Int64(value))
      } else if named.count > 1, let source, axis < source.count, source[axis] == dimension {
        target.append(0)
      } else if free {
        free = false
        target.append(-1)
      } else if !target.contains(-1) {
        target.append(-1)
      } else {
        return nil
      }
    }
    return target
  }
}
