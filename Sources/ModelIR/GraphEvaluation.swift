import TensorCore

extension Graph {
  /// Evaluates one node by its reference, in integers where it touches quantized tensors.
  ///
  /// - Parameter quantizations: what the graph records for the node's outputs.
  /// - Returns: tensors whose types are checked against what the operator infers.
  package static func evaluate(
    _ node: Node, _ operands: Operands<Tensor>, quantizations: [QuantizationParameters?]
  ) throws(ModelError) -> [Tensor] {
    try during("running node '\(node.name)' (\(Swift.type(of: node.op).name))") {
      () throws(ModelError) in
      let facts = try operands.map { Fact($0) }
      let types = try Graph.infer(node.op, facts, quantizedAs: quantizations)
      for type in types {
        if let shape = type.shape { try RunLimits.check(shape, of: type.element) }
      }
      let touchesIntegers =
        quantizations.contains { $0 != nil }
        || operands.values.contains { $0?.quantization != nil }
      let results: [Tensor]
      if touchesIntegers, let integer = node.op as? any IntegerOperator {
        results = try integer.integerReference(operands, types)
      } else {
        results = try node.op.reference(operands)
      }
      guard results.count >= types.count else {
        throw ModelError(.invalidGraph, "\(results.count) results, \(types.count) expected")
      }
      for (result, type) in zip(results, types) {
        let sameShape = type.shape.map { $0 == result.shape } ?? true
        guard result.element == type.element, sameShape,
          (result.members != nil) == type.isSequence
        else {
          throw ModelError(.invalidGraph, "a result is \(result.type), but \(type) was inferred")
        }
      }
      return results
    }
  }

  /// Runs the graph by the operators' references: plain loops in topological order, slow and obviously
  /// right. Quantized nodes run in exact integers.
  ///
  /// - Parameters:
  ///   - inputs: one tensor for each graph input, in order, as ``bind(_:)`` accepts them.
  ///   - observe: called with the output of every node as it is made.
  /// - Returns: one tensor for each graph output, in order.
  package func evaluate(
    _ inputs: [Tensor],
    observe: (ValueID, Tensor) throws(ModelError) -> Void = { (_, _) throws(ModelError) in }
  ) throws(ModelError) -> [Tensor] {
    try bind(inputs)
    var held = [Tensor?](repeating: nil, count: values.count)
    for (port, tensor) in zip(self.inputs, inputs) { held[port.value.index] = tensor }
    for (index, value) in values.enumerated() {
      guard let constant = value.fact.constant else { continue }
      try constant.load()
      held[index] = constant
    }
    var left = useCounts()
    for node in nodes {
      let operands = Operands(node.inputs.map { $0.flatMap { held[$0.index] } })
      let results = try Graph.evaluate(node, operands, quantizations: quantizations(of: node))
      for (id, result) in zip(node.outputs, results) {
        held[id.index] = left[id.index] > 0 ? result : nil
        try observe(id, result)
      }
      for input in node.inputs {
        guard let input else { continue }
        left[input.index] -= 1
        if left[input.index] == 0, self[input].producer != nil { held[input.index] = nil }
      }
    }
    return try outputs.map { (port) throws(ModelError) in
      guard let value = held[port.value.index] else {
        throw ModelError(.invalidGraph, "output '\(port.name)' was not made")
      }
      return value
    }
  }
}
