import ModelIR
import ModelOperators
import TensorCore

/// A key-value memory: a direction, its products with constant keys, a softmax, and constant values weighed by it.
///
///     %1 = NormalizeL2(%q) axis=-1
///     %2 = Linear(%1, keys)
///     %3 = Mul(%2, 16.0)                     →    %5, %4 = MemoryRead(%q, keys · 16, values)
///     %4 = Softmax(%3)
///     %5 = Linear(%4, values)
///
/// With several heads the query is reshaped to [N, heads, width], the products are an Einsum, and what the heads read
/// goes side by side to a linear layer. A linear layer that reads the result folds into the values, because
/// Σ p · (v · W) is (Σ p · v) · W: all of it where it reads nothing else, and of one that reads a Concat the columns
/// for what is recalled, the result being added to the layer of the other columns. It stays where folded values would
/// be more numbers than values and layer. Results agree to one rounding of each key and value.
package struct RecogniseMemory: Pass {
  package let name = "recognise-memory"
  package init() {}

  package func run(on graph: Graph, limit: Int) throws(ModelError) -> Rewritten {
    var found: [Int: MemoryReading] = [:]
    for (index, node) in graph.nodes.enumerated() where node.op is Softmax && found.count < limit {
      found[index] = MemoryReading(of: node, in: graph)
    }
    guard !found.isEmpty else { return Rewritten(graph, sites: []) }
    let ends = Dictionary(found.values.map { ($0.end, $0) }, uniquingKeysWith: { $1 })
    var reads: [Int: ValueID] = [:]
    var index = -1
    let rebuilt = try graph.rebuilt { (node, operands, new) throws(ModelError) in
      index += 1
      if let reading = found[index] {
        let made = try reading.append(node, graph, operands, to: &new)
        reads[reading.end] = made.read
        return [made.address]
      }
      guard let reading = ends[index], let read = reads[index] else { return nil }
      return [try reading.finish(node, graph, operands, read, in: &new)]
    }
    return Rewritten(
      try rebuilt.withoutDeadCode(), sites: found.keys.sorted().map { graph.nodes[$0].name })
  }
}

/// The products of a direction with constant keys.
private struct MemoryAddress {
  /// Before it is turned into a direction: [… , heads · width].
  let query: ValueID
  /// [heads · slots, width]
  let keys: Tensor
  let heads: Int
  let epsilon: Float

  var slots: Int { keys.shape[0] / heads }

  init?(scores: ValueID, in graph: Graph) {
    let scaled = graph.product(scores)
    guard scaled.terms.count == 1, let node = graph.producer(of: scaled.terms[0]),
      node.inputs.count == 2, let left = node.inputs[0], let right = node.inputs[1],
      let keys = graph.plainConstant(right)
    else { return nil }
    let direction = graph.scaledValue(left)
    guard let unit = direction.value, let rank = graph.type(unit).rank,
      let norm = graph.producer(unit, as: NormalizeL2.self),
      norm.op.axis == -1 || norm.op.axis == rank - 1, let source = norm.inputs[0],
      graph.type(source).element == .float32
    else { return nil }
    epsilon = norm.op.epsilon
    let shape: Shape
    switch node.op {
    case let linear as Linear where linear.transposeWeight && linear.epilogue == Epilogue():
      heads = 1
      query = source
      shape = keys.shape
    case let einsum as Einsum where keys.shape.rank == 3 && rank == 3:
      guard
        let parsed = try? EinsumEquation(einsum.equation, ranks: [3, 3]),
        parsed.operands[0] == [parsed.result[0], parsed.result[1], parsed.operands[1][2]],
        parsed.operands[1].dropLast() == [parsed.result[1], parsed.result[2]],
        let split = graph.producer(source, as: Reshape.self), let whole = split.inputs[0],
        let extents = graph.type(whole).dimensions, extents.count == 2,
        extents[1].value == keys.shape[0] * keys.shape[2],
        let made = try? Shape([keys.shape[0] * keys.shape[1], keys.shape[2]])
      else { return nil }
      heads = keys.shape[0]
      query = whole
      shape = made
    default: return nil
    }
    guard shape.rank == 2, shape.count > 0 else { return nil }
    let factor = scaled.factor * direction.factor
    self.keys = Tensor(.float32, shape, doubles: keys.doubles().map { $0 * factor })
  }
}

/// How a memory is read: its values, and what becomes of the node that made the result.
private struct MemoryReading {
  let heads: Int
  let epsilon: Float
  /// [heads · slots, outputs]
  let values: Tensor
  let valuesName: String
  let bias: ValueID?
  /// The node whose output is what is read, or of which that is a part.
  let end: Int
  /// Of a layer that reads a Concat: the operand of the Concat that is not recalled, and its columns of the weights.
  let rest: (operand: Int, weight: Tensor)?

  init?(of softmax: Node, in graph: Graph) {
    guard let op = softmax.op as? Softmax, let scores = softmax.inputs[0],
      let rank = graph.type(scores).rank, op.axis == -1 || op.axis == rank - 1,
      let address = MemoryAddress(scores: scores, in: graph),
      let product = graph.soleReading(
        softmax.outputs[0], of: address.slots, heads: address.heads)
    else { return nil }
    heads = address.heads
    epsilon = address.epsilon
    guard let slots = try? product.weight.transposedMatrix() else { return nil }
    let own = graph.nodes[product.index]
    valuesName = graph[own.inputs[1] ?? own.outputs[0]].name
    // Every head has values of its own, or all of them have the same.
    let isWhole = slots.shape[0] == heads * address.slots
    let layer =
      product.bias == nil && (heads == 1 || !isWhole)
      ? graph.layer(reading: own.outputs[0], throughReshape: heads > 1) : nil
    if let layer, layer.rest == nil, layer.weight.shape[1] == heads * slots.shape[1],
      layer.op.epilogue == Epilogue(), layer.node.inputs.dropFirst(3).allSatisfy({ $0 == nil }),
      layer.bias.map({ graph.plainConstant($0) != nil }) ?? true,
      let folded = slots.folded(layer.weight, from: 0, heads: heads)
    {
      (values, bias, end, rest) = (folded, layer.bias, layer.index, nil)
    } else if heads == 1, let layer, let other = layer.rest,
      layer.node.inputs.count <= 3 || layer.node.inputs[3] == nil,
      let folded = slots.folded(layer.weight, from: other.recalled, heads: 1),
      let remaining = layer.weight.columns(other.kept)
    {
      (values, bias, end) = (folded, nil, layer.index)
      rest = (other.operand, remaining)
    } else if isWhole {
      (values, bias, end, rest) = (slots, product.bias, product.index, nil)
    } else {
      return nil
    }
  }

  /// Appends the memory in place of the softmax.
  func append(
    _ softmax: Node, _ old: Graph, _ operands: [ValueID?], to graph: inout Graph
  ) throws(ModelError) -> (read: ValueID, address: ValueID) {
    guard let scores = operands[0], let address = MemoryAddress(scores: scores, in: graph) else {
      throw ModelError(.invalidGraph, "the memory '\(softmax.name)' changed while it was rewritten")
    }
    let keys = graph.addConstant(address.keys, named: "\(softmax.name).keys")
    let values = graph.addConstant(values, named: valuesName)
    let name = old[softmax.outputs[0]].name
    var inputs: [ValueID?] = [address.query, keys, values]
    if let bias, let tensor = old.constant(bias) {
      inputs.append(graph.addConstant(tensor, named: old[bias].name))
    }
    let made = try graph.append(
      MemoryRead(heads: heads, epsilon: epsilon), named: softmax.name, to: inputs,
      origin: softmax.origin,
      outputNames: [
        rest == nil ? old.outputName(end) : "\(softmax.name).read",
        heads > 1 ? "\(softmax.name).rows" : name,
      ])
    guard heads > 1 else { return (made[0], made[1]) }
    let shape = Tensor(vector: [0, Int64(heads), Int64(address.slots)])
    let split = try graph.append(
      Reshape(), named: "\(softmax.name).heads",
      to: [made[1], graph.addConstant(shape, named: "\(softmax.name).shape")],
      origin: softmax.origin, outputNames: [name])
    return (made[0], split[0])
  }

  /// What stands for the node at ``end``.
  func finish(
    _ node: Node, _ old: Graph, _ operands: [ValueID?], _ read: ValueID, in graph: inout Graph
  ) throws(ModelError) -> ValueID {
    guard let rest, let layer = node.op as? Linear else { return read }
    guard let joined = operands[0], let concat = graph.producer(of: joined),
      let weight = node.inputs[1]
    else { throw ModelError(.invalidGraph, "'\(node.name)' lost what it reads") }
    let kept = graph.addConstant(rest.weight, named: old[weight].name)
    let slope = operands.count > 4 ? [operands[4]] : []
    let bias = operands.count > 2 ? operands[2] : nil
    return try graph.append(
      layer, named: node.name, to: [concat.inputs[rest.operand], kept, bias, read] + slope,
      origin: node.origin, outputNames: node.outputs.map { old[$0].name })[0]
  }
}

// MARK: - What a graph has

extension Graph {
  /// A float32 constant that stands for itself.
  fileprivate func plainConstant(_ id: ValueID?) -> Tensor? {
    guard let id, let tensor = constant(id), tensor.element == .float32,
      tensor.quantization == nil, tensor.withElements(of: Float.self, { $0.allSatisfy(\.isFinite) })
    else { return nil }
    return tensor
  }

  fileprivate func outputName(_ node: Int) -> String { self[nodes[node].outputs[0]].name }

  private func readers(of id: ValueID) -> [Int] {
    nodes.indices.filter { nodes[$0].inputs.contains(id) }
  }

  /// True for a Reshape to rows.
  private func isMatrix(_ node: Int) -> Bool {
    nodes[node].op is Reshape && type(nodes[node].outputs[0]).rank == 2
  }

  /// The one node that reads a value, which is no output of the graph.
  private func soleReader(of id: ValueID) -> Int? {
    let readers = readers(of: id)
    return readers.count == 1 && !outputs.contains { $0.value == id } ? readers[0] : nil
  }

  /// The one linear layer that reads an address by its slots, of several heads through a Reshape to [heads · N, slots]
  /// or to [N, heads · slots].
  fileprivate func soleReading(
    _ address: ValueID, of slots: Int, heads: Int
  ) -> (index: Int, weight: Tensor, bias: ValueID?)? {
    let found = readers(of: address).compactMap {
      reader -> (index: Int, weight: Tensor, bias: ValueID?)? in
      var index = reader
      if heads > 1 {
        guard isMatrix(reader), nodes[reader].inputs[0] == address,
          let next = soleReader(of: nodes[reader].outputs[0])
        else { return nil }
        index = next
      }
      let operands = nodes[index].inputs
      guard let op = nodes[index].op as? Linear, op.transposeWeight, op.epilogue == Epilogue(),
        operands.count <= 3, let weight = plainConstant(operands[1]),
        weight.shape[1] == slots || weight.shape[1] == heads * slots
      else { return nil }
      guard operands.count == 3, let bias = operands[2] else { return (index, weight, nil) }
      return plainConstant(bias) == nil ? nil : (index, weight, bias)
    }
    return found.count == 1 ? found[0] : nil
  }

  /// A linear layer that alone reads a value.
  fileprivate struct Layer {
    let index: Int
    let node: Node
    let op: Linear
    let weight: Tensor
    let bias: ValueID?
    /// Where it reads a Concat of two: the other operand, its columns of the weights, and the first column of the value.
    let rest: (operand: Int, kept: Range<Int>, recalled: Int)?
  }

  fileprivate func layer(reading value: ValueID, throughReshape: Bool) -> Layer? {
    guard var index = soleReader(of: value) else { return nil }
    var rest: (operand: Int, kept: Range<Int>, recalled: Int)?
    if throughReshape {
      guard isMatrix(index), let next = soleReader(of: nodes[index].outputs[0]) else {
        return nil
      }
      index = next
    } else if let concat = nodes[index].op as? Concat {
      let operands = nodes[index].inputs
      guard let rank = type(value).rank, concat.axis == -1 || concat.axis == rank - 1,
        operands.count == 2, let own = operands.firstIndex(of: value),
        let other = operands[1 - own],
        let kept = type(other).dimensions?.last?.value,
        let recalled = type(value).dimensions?.last?.value,
        let next = soleReader(of: nodes[index].outputs[0])
      else { return nil }
      let start = own == 0 ? recalled : 0
      rest = (1 - own, start..<start + kept, own == 0 ? 0 : kept)
      index = next
    }
    let node = nodes[index]
    guard let op = node.op as? Linear, op.transposeWeight,
      let weight = plainConstant(node.inputs[1])
    else { return nil }
    return Layer(
      index: index, node: node, op: op, weight: weight,
      bias: node.inputs.count > 2 ? node.inputs[2] : nil, rest: rest)
  }
}

extension Tensor {
  /// Values [slots, width] times the transpose of `weight`'s columns from `first` on, a part of `width` columns for each
  /// head: [heads · slots, rows of the weight]. Nil where that is more numbers than both have.
  fileprivate func folded(_ weight: Tensor, from first: Int, heads: Int) -> Tensor? {
    let (slots, width) = (shape[0], shape[1])
    let (outputs, columns) = (weight.shape[0], weight.shape[1])
    guard heads * slots * outputs <= slots * width + outputs * heads * width,
      let result = try? Shape([heads * slots, outputs])
    else { return nil }
    let (values, weights) = (doubles(), weight.doubles())
    var folded = [Double](repeating: 0, count: result.count)
    for row in 0..<heads * slots {
      let value = row % slots * width
      for output in 0..<outputs {
        let start = output * columns + first + row / slots * width
        var sum = 0.0
        for i in 0..<width { sum += values[value + i] * weights[start + i] }
        folded[row * outputs + output] = sum
      }
    }
    return Tensor(.float32, result, doubles: folded)
  }

  /// Some columns of a matrix.
  fileprivate func columns(_ range: Range<Int>) -> Tensor? {
    let width = shape[1]
    guard let result = try? Shape([shape[0], range.count]) else { return nil }
    let values = floats()
    return Tensor(result, (0..<shape[0]).flatMap { row in range.map { values[row * width + $0] } })
  }
}
