import TensorCore

/// Passes in order, repeated until none of them finds anything. Each sees a graph and then the graphs
/// that its nodes hold.
package struct Pipeline: Sendable {
  package let passes: [any Pass]
  /// Rounds after which a pipeline that still finds something is an error.
  package let maximumRounds: Int

  package init(_ passes: [any Pass], maximumRounds: Int = 16) {
    self.passes = passes
    self.maximumRounds = maximumRounds
  }

  /// What one pass did in one round.
  package struct Step: Sendable {
    package let pass: String
    package let round: Int
    /// Names of the nodes that were rewritten.
    package let sites: [String]
    /// Nodes that the graph now has.
    package let nodes: Int
    package var rewrites: Int { sites.count }
  }

  /// Runs to the fixed point, verifying after every pass that changed something.
  ///
  /// - Parameters:
  ///   - stopAfter: stop once this many rewrites were made, to find a guilty one by bisection.
  ///   - observe: called with each step that changed the graph, and the graph.
  /// - Throws: `invalid-graph` where no fixed point is reached in ``maximumRounds``.
  package func run(
    on graph: Graph, stopAfter: Int = .max,
    observe: (Step, Graph) throws(ModelError) -> Void = { (_, _) throws(ModelError) in }
  ) throws(ModelError) -> Graph {
    var current = graph
    var left = stopAfter
    for round in 0..<maximumRounds {
      var changed = false
      for pass in passes {
        guard left > 0 else { return current }
        let result = try during("pass '\(pass.name)'") { () throws(ModelError) in
          let result = try Pipeline.run(pass, on: current, limit: left)
          if !result.sites.isEmpty { try result.graph.verify() }
          return result
        }
        guard !result.sites.isEmpty else { continue }
        changed = true
        left -= result.sites.count
        current = result.graph
        try observe(
          Step(
            pass: pass.name, round: round, sites: result.sites, nodes: current.nodes.count),
          current)
      }
      if !changed { return current }
    }
    throw ModelError(.invalidGraph, "the passes find no end after \(maximumRounds) rounds")
  }

  /// One pass over a graph and over those within its nodes, innermost last. A site within a node is
  /// called after both.
  private static func run(
    _ pass: any Pass, on graph: Graph, limit: Int
  ) throws(ModelError) -> Rewritten {
    let outer = try pass.run(on: graph, limit: limit)
    guard outer.graph.nodes.contains(where: { $0.op is any GraphOperator }) else { return outer }
    var sites = outer.sites
    let rebuilt = try outer.graph.rebuilt { (node, operands, new) throws(ModelError) in
      guard node.op is any GraphOperator, sites.count < limit else { return nil }
      let before = sites.count
      let op = try node.op.mappingGraphs { (name, inner) throws(ModelError) in
        guard sites.count < limit else { return inner }
        let result = try during("graph '\(name)' of '\(node.name)'") { () throws(ModelError) in
          try run(pass, on: inner, limit: limit - sites.count)
        }
        sites += result.sites.map { "\(node.name)/\($0)" }
        return result.graph
      }
      guard sites.count > before else { return nil }
      return try new.append(
        op, named: node.name, to: operands, origin: node.origin,
        outputNames: node.outputs.map { outer.graph[$0].name },
        quantizedAs: outer.graph.quantizations(of: node))
    }
    return sites.count == outer.sites.count ? outer : Rewritten(rebuilt, sites: sites)
  }
}
