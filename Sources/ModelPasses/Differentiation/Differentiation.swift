import ModelIR
import ModelOperators
import TensorCore

extension Graph {
  /// The name of the output that is the gradient by `parameter`.
  package static func gradientName(of parameter: String) -> String { "gradient of \(parameter)" }

  /// This graph with the gradients of one of its outputs, a single number, by some of its inputs: the backward
  /// graph follows the forward one, in ordinary nodes, so that it is planned like any other.
  ///
  ///     %y = Conv(%x, %w)                        %y = Conv(%x, %w)
  ///     %loss = ReduceMean(%y)          →        %loss = ReduceMean(%y)
  ///                                              %1 = Expand(…)
  ///                                              output "gradient of w" = ConvWeightGradient(%x, %1)
  ///
  /// Only what lies between the loss and the inputs gets a gradient. Activations that operators apply to
  /// their own results become nodes where their slope cannot be told from the result.
  ///
  /// - Throws: `unsupported-operator` for an operator without a gradient on the way; `unknown-shape` where a
  ///   shape on the way is not concrete.
  package func differentiated(
    _ loss: String, by parameters: [String]
  ) throws(ModelError) -> Graph {
    let graph = try withSeparateActivations()
    guard let end = graph.outputs.first(where: { $0.name == loss })?.value else {
      throw ModelError(.invalidGraph, "the graph has no output '\(loss)'")
    }
    guard graph.type(end).shape?.count == 1, graph.type(end).element.isFloatingPoint else {
      throw ModelError(
        .shapeMismatch, "GR1: a loss is one number; '\(loss)' is \(graph.type(end))")
    }
    var starts: [Port] = []
    for name in parameters {
      guard let port = graph.inputs.first(where: { $0.name == name }) else {
        throw ModelError(.invalidGraph, "the graph has no input '\(name)'")
      }
      starts.append(port)
    }
    var backward = try Backward(graph, from: end, to: Set(starts.map(\.value)))
    try backward.run()
    for port in starts { try backward.addOutput(Graph.gradientName(of: port.name), port.value) }
    return try backward.graph.withoutDeadCode()
  }

  /// Activations whose slope needs more than their result, as nodes.
  private func withSeparateActivations() throws(ModelError) -> Graph {
    try rebuilt { (node, operands, new) throws(ModelError) in
      guard var op = node.op as? any FusibleOperator, !op.epilogue.isReadFromOutput else {
        return nil
      }
      let slope = operands.count > 4 ? operands[4] : nil
      let rank = self.type(node.outputs[0]).rank ?? 0
      let activation = op.epilogue
      let axis = op.channelAxis(rank: rank)
      op.epilogue = Epilogue()
      let plain = slope == nil ? operands : Array(operands[..<4])
      let sums = try new.appendOne(op, named: node.name, to: plain, origin: node.origin)
      var line: ValueID?
      if let slope {
        // Along the channels.
        let shape = [Int64](repeating: 1, count: rank).enumerated().map { $0 == axis ? -1 : $1 }
        let target = new.addConstant(Tensor(vector: shape), named: "\(node.name).slope.shape")
        line = try new.appendOne(
          Reshape(), named: "\(node.name).slope", to: [slope, target], origin: node.origin)
      }
      guard let (function, others) = activation.standalone(slope: line) else { return nil }
      return [
        try new.appendOne(
          function, named: "\(node.name).activation", to: [sums] + others, origin: node.origin)
      ]
    }
  }
}

/// The nodes of a graph from its end to its start, each adding to the gradients by its operands.
private struct Backward {
  var graph: Graph
  private let end: ValueID
  /// Values that some start has a part in.
  private let active: Set<ValueID>
  private var gradients: [ValueID: ValueID] = [:]

  init(_ graph: Graph, from end: ValueID, to starts: Set<ValueID>) throws(ModelError) {
    self.graph = graph
    self.end = end
    var active = starts
    for node in graph.nodes {
      guard node.inputs.contains(where: { $0.map { active.contains($0) } ?? false }) else {
        continue
      }
      for output in node.outputs where graph.type(output).element.isFloatingPoint {
        active.insert(output)
      }
    }
    self.active = active
  }

  mutating func run() throws(ModelError) {
    let nodes = graph.nodes
    let type = graph.type(end)
    guard let shape = type.shape else { return }
    gradients[end] = graph.addConstant(
      Tensor.filled(type.element, shape, with: 1), named: "gradient of the loss")
    for node in nodes.reversed() {
      let byOutputs = node.outputs.map { gradients[$0] }
      let wanted = node.inputs.map { $0.map { active.contains($0) } ?? false }
      guard byOutputs.contains(where: { $0 != nil }), wanted.contains(true) else { continue }
      try during("differentiating node '\(node.name)'") { () throws(ModelError) in
        guard let op = node.op as? any DifferentiableOperator else {
          throw ModelError(
            .unsupportedOperator, "GR2: \(Swift.type(of: node.op).name) has no gradient")
        }
        try add(op, node, byOutputs, wanted)
      }
    }
  }

  private mutating func add(
    _ op: any DifferentiableOperator, _ node: Node, _ byOutputs: [ValueID?], _ wanted: [Bool]
  ) throws(ModelError) {
    let site = GradientSite(node, in: graph, byOutputs: byOutputs, wanted: wanted)
    graph = Graph()  // the site holds the only reference, so that appending does not copy
    let made = try op.gradients(at: site)
    graph = site.graph
    for (index, input) in node.inputs.enumerated() where wanted[index] {
      guard let input, index < made.count, let term = made[index] else { continue }
      if let other = gradients[input] {
        gradients[input] = try graph.appendOne(
          Add(), named: "\(node.name).gradient", to: [other, term.id], origin: node.origin)
      } else {
        gradients[input] = term.id
      }
    }
  }

  /// Makes the gradient by `start` an output: zeros where the loss does not depend on it.
  mutating func addOutput(_ name: String, _ start: ValueID) throws(ModelError) {
    guard let shape = graph.type(start).shape else {
      throw ModelError(.unknownShape, "a gradient needs the shape of '\(graph[start].name)'")
    }
    let zeros = Tensor.filled(graph.type(start).element, shape, with: 0)
    try graph.addOutput(
      name, gradients[start] ?? graph.addConstant(zeros, named: "no gradient"))
  }
}
