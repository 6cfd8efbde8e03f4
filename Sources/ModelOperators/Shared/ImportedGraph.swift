import ModelIR
import TensorCore

/// A graph within a foreign node while the node is imported.
package struct ForeignGraph {
  /// Types of its inputs, as far as the file gives them.
  package let inputs: [TensorType?]
  /// Builds the graph for inputs of these types. The second argument is the graph that the node is part of;
  /// the third says whether the extents of what is captured are left open.
  package let build: ([TensorType], inout Graph, Bool) throws(ModelError) -> ImportedGraph

  package init(
    inputs: [TensorType?],
    build: @escaping ([TensorType], inout Graph, Bool) throws(ModelError) -> ImportedGraph
  ) {
    self.inputs = inputs
    self.build = build
  }
}

/// A closed graph that was made of a foreign one.
package struct ImportedGraph {
  /// Its formal inputs come first, then one for each capture.
  package let graph: Graph
  /// What it captures of the graph around it.
  package let captures: [ValueID]

  package init(_ graph: Graph, captures: [ValueID]) {
    self.graph = graph
    self.captures = captures
  }

  /// The graphs with the same captures in the same order.
  ///
  /// - Parameters:
  ///   - formals: inputs of each that are not captures.
  ///   - outer: the graph around them.
  static func aligned(
    _ imported: [ImportedGraph], formals: Int, in outer: Graph
  ) throws(ModelError) -> (graphs: [Graph], captures: [ValueID]) {
    var captures: [ValueID] = []
    for body in imported {
      for id in body.captures where !captures.contains(id) { captures.append(id) }
    }
    let graphs = try imported.map { (body) throws(ModelError) in
      guard body.captures != captures else { return body.graph }
      let own = body.graph.inputs
      var inputs = own.prefix(formals).map { ($0.name, body.graph.type($0.value)) }
      var names = Set(inputs.map(\.0))
      for id in captures {
        let base = outer[id].name
        var name = base
        var count = 0
        while !names.insert(name).inserted {
          count += 1
          name = "\(base).\(count)"
        }
        let own = body.captures.firstIndex(of: id).map { body.graph.inputs[formals + $0].value }
        inputs.append((name, own.map { body.graph.type($0) } ?? outer.type(id).logical))
      }
      let sources = own.indices.map { index -> Graph.InputSource in
        guard index >= formals else { return .input(index) }
        let place = captures.firstIndex(of: body.captures[index - formals])
        return .input(formals + (place ?? 0))
      }
      return try body.graph.replacingInputs(inputs, sources: sources)
    }
    return (graphs, captures)
  }

  /// A graph whose states come back as what it takes: extents that change from one run to the next are
  /// left open.
  ///
  /// - Parameters:
  ///   - initial: types of the first states.
  ///   - outputsFrom: the graph's output that is the first next state.
  ///   - build: makes the graph for states of these types.
  static func settling(
    _ initial: [TensorType], outputsFrom first: Int, in outer: inout Graph,
    build: ([TensorType], inout Graph) throws(ModelError) -> ImportedGraph
  ) throws(ModelError) -> ImportedGraph {
    var types = initial
    var opened = false
    while true {
      let imported = try build(types, &outer)
      let outputs = imported.graph.outputs.dropFirst(first).map { imported.graph.type($0.value) }
      guard outputs.count >= types.count else {
        throw ModelError(
          .invalidGraph, "a graph of \(outputs.count + first) outputs has \(types.count) states")
      }
      var settled = types
      for (index, next) in outputs.prefix(types.count).enumerated() {
        settled[index] = try during("state \(index)") { () throws(ModelError) in
          try types[index].joined(with: next)
        }
      }
      if settled == types { return imported }
      // What still changes once it was opened changes its rank or too much to follow.
      types = settled.indices.map {
        opened && settled[$0] != types[$0] ? settled[$0].with(dimensions: nil) : settled[$0]
      }
      opened = true
    }
  }
}

extension ForeignNode {
  /// Types that the file gives the inputs of a graph of this node.
  package func formalTypes(_ name: String) throws(ModelError) -> [TensorType?] {
    try foreignGraph(name).inputs
  }

  /// The graph of this name, for formal inputs of these types.
  package func graph(
    _ name: String, formals: [TensorType], in outer: inout Graph
  ) throws(ModelError) -> ImportedGraph {
    let foreign = try foreignGraph(name)
    guard foreign.inputs.count == formals.count else {
      throw ModelError(
        .invalidGraph,
        "'\(name)' has \(foreign.inputs.count) inputs, \(formals.count) are given")
    }
    return try during("importing graph '\(name)'") { () throws(ModelError) in
      try foreign.build(formals, &outer, false)
    }
  }

  /// A branch: a graph without formal inputs, which need not fit the operands of an If that never takes it.
  package func branch(
    _ name: String, in outer: inout Graph
  ) throws(ModelError) -> ImportedGraph {
    do {
      return try graph(name, formals: [], in: &outer)
    } catch  where [.shapeMismatch, .invalidValue].contains(error.code) {
      do { return try foreignGraph(name).build([], &outer, true) } catch {}
      throw error
    }
  }
}
