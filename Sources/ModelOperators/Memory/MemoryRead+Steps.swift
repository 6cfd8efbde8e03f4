import ModelIR
import TensorCore

extension Graph {
  /// The same graph with each memory as the steps that ``MemoryRead`` stands for, in float32:
  /// NormalizeL2, a product with the keys, Softmax, shares that are too small as 0, a product with the values.
  package func withMemoriesInSteps() throws(ModelError) -> Graph {
    guard nodes.contains(where: { $0.op is MemoryRead }) else { return self }
    return try rebuilt { (node, operands, new) throws(ModelError) in
      guard let op = node.op as? MemoryRead else { return nil }
      return try op.appendSteps(
        node, operands, to: &new, outputNames: node.outputs.map { self[$0].name },
        quantizedAs: quantizations(of: node).first ?? nil)
    }
  }
}

extension MemoryRead {
  fileprivate func appendSteps(
    _ node: Node, _ operands: [ValueID?], to graph: inout Graph, outputNames: [String],
    quantizedAs parameters: QuantizationParameters?
  ) throws(ModelError) -> [ValueID] {
    guard let query = operands[0], let keyID = operands[1], let valueID = operands[2],
      let keys = graph.constant(keyID), let values = graph.constant(valueID),
      let rank = graph.type(query).rank
    else {
      throw ModelError(
        .unsupportedFeature, "the memory '\(node.name)' has keys or values that are not constant")
    }
    let name = node.name
    let outer = [Int64](repeating: 0, count: rank - 1)
    func append(
      _ op: any Operator, _ step: String, _ operands: [ValueID?]
    ) throws(ModelError) -> ValueID {
      try graph.appendOne(op, named: "\(name).\(step)", to: operands, origin: node.origin)
    }
    func reshaped(
      _ x: ValueID, _ step: String, _ extents: [Int]
    ) throws(ModelError) -> ValueID {
      let shape = Tensor(vector: outer + extents.map { Int64($0) })
      let id = graph.addConstant(shape, named: "\(name).\(step).shape")
      return try append(Reshape(), step, [x, id])
    }
    let (slots, width) = (keys.shape[0] / heads, keys.shape[1])
    let norm = NormalizeL2(axis: -1, epsilon: epsilon)
    var scores: ValueID
    if heads == 1 {
      let key = graph.addConstant(keys.dequantized(), named: graph[keyID].name)
      let direction = try append(norm, "direction", [query])
      scores = try append(Linear(transposeWeight: true), "scores", [direction, key])
    } else {
      let shape = try Shape([heads, slots, width])
      let key = graph.addConstant(
        try keys.dequantized().reshaped(to: shape), named: graph[keyID].name)
      let direction = try append(
        norm, "direction", [try reshaped(query, "heads", [heads, width])])
      scores = try append(Einsum("...hd,hsd->...hs"), "scores", [direction, key])
    }
    var address = try append(Softmax(axis: -1), "address", [scores])
    if heads > 1 { address = try reshaped(address, "rows", [heads * slots]) }
    let value = graph.addConstant(values.dequantized(), named: graph[valueID].name)
    var shares = address
    if leastShare > 0 {
      let least = graph.addConstant(Tensor(scalar: leastShare), named: "\(name).least")
      let nothing = graph.addConstant(Tensor(scalar: Float(0)), named: "\(name).nothing")
      let isLess = try append(Less(), "unread", [address, least])
      shares = try append(Where(), "shares", [isLess, nothing, address])
    }
    let read = try graph.append(
      Linear(), named: "\(name).read", to: [shares, value] + operands.dropFirst(3),
      origin: node.origin, outputNames: parameters == nil ? [outputNames[0]] : [])[0]
    guard let parameters else { return [read, address] }
    let stored = try graph.append(
      Quantize(), named: "\(name).int8", to: [read], outputNames: [outputNames[0]],
      quantizedAs: [parameters])
    return stored + [address]
  }
}
