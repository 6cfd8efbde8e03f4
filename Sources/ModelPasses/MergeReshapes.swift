import ModelIR
import ModelOperators
import TensorCore

/// Chains of operators that only give a tensor another shape, as one `Reshape` to a constant.
///
///     %1 = Squeeze(%x[N×80×1×1], 3)
///     %2 = Squeeze(%1, 2)              →    %2 = Reshape(%x, [−1, 80])
///
/// Reshape, Flatten, Squeeze, Unsqueeze, and Transpose that moves axes of extent 1 only. An extent that has
/// only a name is −1 in the target, or 0 where several have. Exact.
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
    guard let dimensions = wanted[0].dimensions, !dimensions.contains(.unknown),
      let target = MergeReshapes.target(dimensions, from: site.graph.type(source).dimensions)
    else { return nil }
    let facts = Operands<Fact>([site.graph.fact(source), Fact(Tensor(vector: target))])
    guard try Graph.infer(Reshape(), facts, quantizedAs: site.quantizations) == wanted else {
      return nil
    }
    let shape = site.graph.addConstant(Tensor(vector: target), named: "\(node.name).shape")
    return try site.replace(node, by: Reshape(), to: [source, shape])
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
