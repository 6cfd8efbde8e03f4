import TensorCore

/// A change to a whole graph that keeps its values.
package protocol Pass: Sendable {
  /// Kebab-case, unique; the name of its file in `golden/passes`.
  var name: String { get }
  /// Makes at most `limit` rewrites.
  func run(on graph: Graph, limit: Int) throws(ModelError) -> Rewritten
}

/// A graph after a pass, and the names of the nodes that were rewritten, in order.
package struct Rewritten: Sendable {
  package let graph: Graph
  package let sites: [String]

  package init(_ graph: Graph, sites: [String]) {
    self.graph = graph
    self.sites = sites
  }
}

/// A rule that sees one node at a time.
package protocol Rewrite: Sendable {
  static var name: String { get }

  /// The values that stand for the node's outputs, or nil to leave the node as it is. New nodes and
  /// constants are appended to `site.graph`.
  func replacement(for node: Node, at site: inout RewriteSite) throws(ModelError) -> [ValueID]?
}

/// Where a rule works: the node's operands in the graph that is being rebuilt, and what the old graph
/// knows of them.
package struct RewriteSite {
  /// The graph that is being rebuilt; everything before the node is in it.
  package var graph: Graph
  /// The node's operands in ``graph``.
  package let operands: [ValueID?]
  /// Quantization of the node's outputs, to be passed on by a rule that keeps them.
  package let quantizations: [QuantizationParameters?]
  /// Names of the node's outputs, for those that take their place.
  package let outputNames: [String]
  /// Readers of each operand in the old graph: 1 where the node is the only one.
  package let operandUses: [Int]

  /// True where the node or what it reads is stored as integers that stand for real numbers.
  package var isQuantized: Bool {
    quantizations.contains { $0 != nil }
      || operands.contains { $0.map { graph.type($0).quantization != nil } ?? false }
  }

  package func operand(_ index: Int) -> ValueID? {
    index < operands.count ? operands[index] : nil
  }

  package func constant(_ index: Int) -> Tensor? {
    operand(index).flatMap { graph.constant($0) }
  }

  package func type(_ index: Int) -> TensorType? { operand(index).map { graph.type($0) } }

  /// The node that makes operand `index`, where it is an `Op`.
  package func producer<Op: Operator>(_ index: Int, as _: Op.Type) -> (op: Op, node: Node)? {
    guard let id = operand(index), let node = graph.producer(of: id), let op = node.op as? Op else {
      return nil
    }
    return (op, node)
  }

  /// As ``producer(_:as:)``, and nothing else reads its output.
  package func soleProducer<Op: Operator>(_ index: Int, as type: Op.Type) -> (op: Op, node: Node)? {
    guard index < operandUses.count, operandUses[index] == 1 else { return nil }
    return producer(index, as: type)
  }

  /// Appends `op` in place of the node: its values keep the node's names, the node itself is called
  /// after `origin`, by default the node.
  package mutating func replace(
    _ node: Node, by op: any Operator, to operands: [ValueID?], after origin: Node? = nil
  ) throws(ModelError) -> [ValueID] {
    let source = origin ?? node
    return try graph.append(
      op, named: source.name, to: operands, origin: source.origin, outputNames: outputNames,
      quantizedAs: quantizations)
  }
}

/// Runs one rule over every node by rebuilding the graph, so that order stays topological and every
/// type is inferred anew. What the rule leaves unread is dropped.
package struct Rewriting<Rule: Rewrite>: Pass {
  package let rule: Rule
  package var name: String { Rule.name }

  package init(_ rule: Rule) { self.rule = rule }

  package func run(on graph: Graph, limit: Int) throws(ModelError) -> Rewritten {
    let uses = graph.useCounts()
    var sites: [String] = []
    /// What stands for the node, whose operands are those of the graph that is built.
    func replacement(
      _ node: Node, _ operands: [ValueID?], _ new: inout Graph
    ) throws(ModelError) -> [ValueID]? {
      guard sites.count < limit else { return nil }
      var site = RewriteSite(
        graph: new, operands: operands, quantizations: graph.quantizations(of: node),
        outputNames: node.outputs.map { graph[$0].name },
        operandUses: node.inputs.map { $0.map { uses[$0.index] } ?? 0 })
      new = Graph()  // the site holds the only reference, so that appending does not copy
      let replaced = try during("\(Rule.name) at '\(node.name)'") { () throws(ModelError) in
        try rule.replacement(for: node, at: &site)
      }
      new = site.graph
      if replaced != nil { sites.append(node.name) }
      return replaced
    }
    // Most rules find nothing in most rounds: the graph is built anew only where one does.
    var same = graph
    for node in graph.nodes where sites.isEmpty {
      _ = try replacement(node, node.inputs, &same)
    }
    guard !sites.isEmpty else { return Rewritten(graph, sites: []) }
    sites = []
    let rebuilt = try graph.rebuilt(replacement)
    return Rewritten(try rebuilt.withoutDeadCode(), sites: sites)
  }
}

extension Graph {
  /// The same graph, built node by node. `replace` may return values of the new graph that stand for a
  /// node's outputs, and `constants` holds other tensors for some of the graph's.
  package func rebuilt(
    inputTypes: [TensorType]? = nil,
    constants: [ValueID: Tensor] = [:],
    _ replace: (Node, [ValueID?], inout Graph) throws(ModelError) -> [ValueID]?
  ) throws(ModelError) -> Graph {
    var new = Graph()
    new.metadata = metadata
    var map = [ValueID?](repeating: nil, count: values.count)
    for (index, port) in inputs.enumerated() {
      map[port.value.index] = try new.addInput(port.name, inputTypes?[index] ?? type(port.value))
    }
    for (index, value) in values.enumerated() where value.producer == nil {
      if map[index] == nil, let tensor = value.fact.constant {
        map[index] = new.addConstant(constants[id(at: index)] ?? tensor, named: value.name)
      }
    }
    for node in nodes {
      let operands = node.inputs.map { $0.flatMap { map[$0.index] } }
      let made: [ValueID]
      if let replaced = try replace(node, operands, &new) {
        guard replaced.count == node.outputs.count else {
          throw ModelError(.invalidGraph, "a rewrite of '\(node.name)' lost an output")
        }
        made = replaced
      } else {
        made = try new.append(
          node.op, named: node.name, to: operands, origin: node.origin,
          outputNames: node.outputs.map { self[$0].name },
          quantizedAs: quantizations(of: node))
      }
      for (old, id) in zip(node.outputs, made) { map[old.index] = id }
    }
    for output in outputs {
      guard let id = map[output.value.index] else {
        throw ModelError(.invalidGraph, "output '\(output.name)' was lost")
      }
      try new.addOutput(output.name, id)
    }
    return new
  }

  /// The same graph without nodes and constants that nothing reads. Inputs stay.
  package func withoutDeadCode() throws(ModelError) -> Graph {
    var live = Set(outputs.map(\.value))
    for node in nodes.reversed() where node.outputs.contains(where: { live.contains($0) }) {
      for input in node.inputs { if let input { live.insert(input) } }
    }
    var new = Graph()
    new.metadata = metadata
    var map = [ValueID?](repeating: nil, count: values.count)
    for port in inputs { map[port.value.index] = try new.addInput(port.name, type(port.value)) }
    for (index, value) in values.enumerated() where value.producer == nil && map[index] == nil {
      guard live.contains(ValueID(index: index)), let constant = value.fact.constant else {
        continue
      }
      map[index] = new.addConstant(constant, named: value.name)
    }
    for node in nodes where node.outputs.contains(where: { live.contains($0) }) {
      let made = new.append(
        node, of: self, to: node.inputs.map { $0.flatMap { map[$0.index] } })
      for (old, id) in zip(node.outputs, made) { map[old.index] = id }
    }
    for output in outputs {
      guard let id = map[output.value.index] else {
        throw ModelError(.invalidGraph, "output '\(output.name)' is not made by any node")
      }
      try new.addOutput(output.name, id)
    }
    return new
  }
}
