import ModelIR
import ModelOperators
import TensorCore

/// A graph for one set of input shapes: shape arithmetic folded away, chosen branches in place of their
/// conditions, every shape concrete unless it depends on data.
struct Specialised: Sendable {
  let graph: Graph
  /// For each value of the specialised graph, the value of the original one that it stands for.
  let original: [ValueID?]

  /// Results larger than this are computed when the plan runs, not when it is made.
  static let foldedElementLimit = 1 << 16

  init(_ source: Graph, inputTypes: [TensorType]) throws(ModelError) {
    self = try Specialised(source, inputs: inputTypes.map { Fact($0) })
  }

  /// - Parameter inputs: what is known of each input; one whose content is known is no input any more.
  init(_ source: Graph, inputs: [Fact]) throws(ModelError) {
    var new = Graph()
    new.metadata = source.metadata
    var operands: [ValueID] = []
    for (port, fact) in zip(source.inputs, inputs) {
      if let constant = fact.constant {
        operands.append(new.addConstant(constant, named: port.name))
      } else {
        operands.append(try new.addInput(port.name, fact.type))
      }
    }
    let map = try Specialised.append(source, on: operands, to: &new)
    for output in source.outputs {
      guard let id = map[output.value.index] else {
        throw ModelError(.invalidGraph, "output '\(output.name)' is not made by any node")
      }
      try new.addOutput(output.name, id)
    }
    var original = [ValueID?](repeating: nil, count: new.values.count)
    for (old, id) in map.enumerated() {
      if let id { original[id.index] = ValueID(index: old) }
    }
    graph = new
    self.original = original
  }

  /// Appends the specialised nodes of `source`.
  ///
  /// - Returns: for each value of `source` the one that stands for it.
  private static func append(
    _ source: Graph, on operands: [ValueID], to new: inout Graph
  ) throws(ModelError) -> [ValueID?] {
    var map = [ValueID?](repeating: nil, count: source.values.count)
    for (port, id) in zip(source.inputs, operands) { map[port.value.index] = id }
    for (index, value) in source.values.enumerated() where value.producer == nil {
      if map[index] == nil, let constant = value.fact.constant {
        map[index] = new.addConstant(constant, named: value.name)
      }
    }
    for node in source.nodes {
      let operands = node.inputs.map { $0.flatMap { map[$0.index] } }
      let quantizations = source.quantizations(of: node)
      if let branch = (node.op as? If)?.branch(operands.first.flatMap { $0 }.flatMap(new.constant)),
        let made = try inline(branch, of: node, on: operands, to: &new)
      {
        for (old, id) in zip(node.outputs, made) { map[old.index] = id }
        continue
      }
      if let folded = try fold(node, operands, quantizations, in: new) {
        for (old, tensor) in zip(node.outputs, folded) {
          map[old.index] = new.addConstant(tensor, named: source[old].name)
        }
        continue
      }
      var (op, given) = (node.op, operands)
      if let holder = node.op as? any GraphOperator {
        (op, given) = try specialised(holder, named: node.name, on: operands, in: new)
      }
      let made = try new.append(
        op, named: node.name, to: given, origin: node.origin,
        outputNames: node.outputs.map { source[$0].name }, quantizedAs: quantizations,
        isChecked: true)
      for (old, id) in zip(node.outputs, made) {
        map[old.index] =
          constant(from: new.fact(id)).map { new.addConstant($0, named: source[old].name) } ?? id
      }
    }
    return map
  }

  // MARK: - Graphs within nodes

  private static func inline(
    _ branch: Graph, of node: Node, on operands: [ValueID?], to new: inout Graph
  ) throws(ModelError) -> [ValueID]? {
    let captures = operands.dropFirst().compactMap(\.self)
    guard captures.count == branch.inputs.count else { return nil }
    let map = try during("branch of '\(node.name)'") { () throws(ModelError) in
      try append(branch, on: captures, to: &new)
    }
    return branch.outputs.compactMap { map[$0.value.index] }
  }

  /// The operator with its graphs for these operands: captured constants are in them.
  private static func specialised<Op: GraphOperator>(
    _ op: Op, named name: String, on operands: [ValueID?], in graph: Graph
  ) throws(ModelError) -> (any Operator, [ValueID?]) {
    let facts = graph.facts(operands)
    let kept = operands.count - op.captureCount
    var given = Array(operands.prefix(kept))
    for id in operands.dropFirst(kept) where id.map({ graph.constant($0) == nil }) ?? true {
      given.append(id)
    }
    func attempt(_ formals: [TensorType]) throws(ModelError) -> Op {
      let special = try op.mappingGraphs { (field, inner) throws(ModelError) in
        try during("specialising graph '\(field)' of '\(name)'") { () throws(ModelError) in
          let captured = facts.values.dropFirst(kept).map { $0 ?? Fact(TensorType(.bool, [])) }
          return try Specialised(inner, inputs: formals.map { Fact($0) } + captured).graph
        }
      }
      _ = try Graph.infer(special, graph.facts(given))
      return special
    }
    // States whose extents change keep the types that were left open for them.
    let declared = op.graphs.first.map { _, inner in
      inner.inputs.prefix(op.formalInputs).map { inner.type($0.value) }
    }
    let exact = try op.formalTypes(facts)
    if let special = try? attempt(exact) { return (special, given) }
    if let declared, declared != exact, let special = try? attempt(declared) {
      return (special, given)
    }
    return (op, operands)
  }

  // MARK: - Folding

  /// The node's results where all its operands are constants and the results are small.
  private static func fold(
    _ node: Node, _ operands: [ValueID?], _ quantizations: [QuantizationParameters?],
    in graph: Graph
  ) throws(ModelError) -> [Tensor]? {
    guard node.op.isDeterministic, !operands.isEmpty || node.inputs.isEmpty else { return nil }
    let facts = graph.facts(operands)
    var tensors: [Tensor?] = []
    for fact in facts.values {
      guard let fact else {
        tensors.append(nil)
        continue
      }
      guard let constant = fact.constant, constant.count <= foldedElementLimit else { return nil }
      try constant.load()
      tensors.append(constant)
    }
    let types = try during("typing node '\(node.name)'") { () throws(ModelError) in
      try Graph.infer(node.op, facts, quantizedAs: quantizations)
    }
    guard types.allSatisfy({ !$0.isSequence && ($0.shape?.count ?? 0) <= foldedElementLimit })
    else { return nil }
    return try Graph.evaluate(node, Operands(tensors), quantizations: quantizations)
  }

  /// The content of a value whose extents are all known: what Shape of a known shape is.
  private static func constant(from fact: Fact) -> Tensor? {
    guard let extents = fact.extents, fact.element.isInteger, let shape = fact.type.shape,
      shape.count == extents.count
    else { return nil }
    var values: [Int64] = []
    for extent in extents {
      guard let value = extent.value else { return nil }
      values.append(Int64(value))
    }
    return Tensor(fact.element, shape, integers: values)
  }
}
