import ModelIR
import TensorCore

/// The outputs of one of two graphs, whichever a condition chooses. Operand 0 is the condition, the rest is
/// what the graphs capture. ONNX If 1–25.
package struct If: GraphOperator {
  package static let name = "If"
  package static let fields = [Field("then", \If.thenGraph), Field("else", \If.elseGraph)]
  package var thenGraph = Graph()
  package var elseGraph = Graph()
  package init() {}

  package init(then thenGraph: Graph, else elseGraph: Graph) {
    self.thenGraph = thenGraph
    self.elseGraph = elseGraph
  }

  package var formalInputs: Int { 0 }

  package func formalTypes(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] { [] }
}

// MARK: - Types

extension If {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    let operands = try inputs.all()
    guard let condition = operands.first, condition.element == .bool,
      !condition.type.isSequence
    else {
      throw ModelError(.typeMismatch, "IF1: the condition is not a bool")
    }
    if let shape = condition.type.shape, shape.count != 1 {
      throw ModelError(.shapeMismatch, "IF1: a condition of shape \(shape)")
    }
    guard thenGraph.outputs.count == elseGraph.outputs.count, !thenGraph.outputs.isEmpty else {
      throw ModelError(
        .invalidGraph,
        "IF2: branches of \(thenGraph.outputs.count) and \(elseGraph.outputs.count) outputs")
    }
    let captures = Array(operands.dropFirst())
    let types = try during("IF3: the branches of an If") { () throws(ModelError) in
      try [thenGraph, elseGraph].map { (graph) throws(ModelError) in
        let symbols = try bind(graph, formals: [], captures: captures)
        return graph.outputs.map { graph.type($0.value).replacing(symbols) }
      }
    }
    return try types[0].indices.map { (index) throws(ModelError) in
      try during("IF4: output \(index) of both branches") { () throws(ModelError) in
        try types[0][index].joined(with: types[1][index])
      }
    }
  }

  /// The branch that a known condition chooses.
  package func branch(_ condition: Tensor?) -> Graph? {
    guard let condition, condition.count == 1 else { return nil }
    return condition.integers()[0] != 0 ? thenGraph : elseGraph
  }
}

// MARK: - Running

extension If {
  package func run(
    _ inputs: Operands<Tensor>, outputs: [TensorType],
    body: (_ graph: Int, _ inputs: [Tensor]) throws(ModelError) -> [Tensor]
  ) throws(ModelError) -> [Tensor] {
    let operands = try inputs.all()
    guard operands[0].count == 1 else {
      throw ModelError(.shapeMismatch, "IF1: a condition of shape \(operands[0].shape)")
    }
    return try body(operands[0].integers()[0] != 0 ? 0 : 1, Array(operands.dropFirst()))
  }
}

// MARK: - Import

extension If: ImportableOperator {
  package static let importers = [
    Importer("If", 1...newestOpset) { (node, graph) throws(ModelError) in
      let condition = try node.required(0)
      var branches: [ImportedGraph] = []
      for name in ["then_branch", "else_branch"] {
        branches.append(try node.branch(name, in: &graph))
      }
      let (graphs, captures) = try ImportedGraph.aligned(branches, formals: 0, in: graph)
      return try node.append(
        If(then: graphs[0], else: graphs[1]), on: [condition] + captures, to: &graph)
    }
  ]
}
