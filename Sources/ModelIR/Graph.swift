import TensorCore

/// Names a value of one graph; meaningless outside it.
package struct ValueID: Hashable, Sendable, Comparable {
  package let index: Int
  package init(index: Int) { self.index = index }
  package static func < (a: ValueID, b: ValueID) -> Bool { a.index < b.index }
}

/// One application of an operator.
package struct Node: Sendable {
  /// The exporter's name, or one derived from it; not necessarily unique.
  package let name: String
  package let op: any Operator
  package let inputs: [ValueID?]
  package let outputs: [ValueID]
  /// Where the node came from: the recovered module path, for reports. Never a file path.
  package let origin: String
}

/// A value: an input, a constant, or the output of a node.
package struct Value: Sendable {
  package let name: String
  package let fact: Fact
  /// Index of the node that makes it; nil for inputs and constants.
  package let producer: Int?
  package var type: TensorType { fact.type }
}

/// A named output or input.
package struct Port: Sendable, Equatable {
  package let name: String
  package let value: ValueID
}

/// A typed, acyclic graph in topological order. Ill-typed graphs cannot be built: ``append(_:named:to:)``
/// infers or throws.
package struct Graph: Sendable {
  package private(set) var values: [Value] = []
  package private(set) var nodes: [Node] = []
  package private(set) var inputs: [Port] = []
  package private(set) var outputs: [Port] = []
  /// Facts about the file: producer, opset, family. Sorted by key when written.
  package var metadata: [String: String] = [:]

  package init() {}

  /// The value at `index` of ``values``.
  package func id(at index: Int) -> ValueID { ValueID(index: index) }

  package subscript(_ id: ValueID) -> Value { values[id.index] }
  package func fact(_ id: ValueID) -> Fact { values[id.index].fact }
  package func type(_ id: ValueID) -> TensorType { values[id.index].fact.type }
  package func constant(_ id: ValueID) -> Tensor? { values[id.index].fact.constant }

  /// The node that makes `id`; nil for inputs and constants.
  package func producer(of id: ValueID) -> Node? {
    values[id.index].producer.map { nodes[$0] }
  }

  package func facts(_ ids: [ValueID?]) -> Operands<Fact> {
    Operands(ids.map { $0.map { fact($0) } })
  }

  package mutating func addInput(_ name: String, _ type: TensorType) throws(ModelError) -> ValueID {
    guard !inputs.contains(where: { $0.name == name }) else {
      throw ModelError(.invalidGraph, "two inputs are named '\(name)'")
    }
    let id = addValue(name, Fact(type), producer: nil)
    inputs.append(Port(name: name, value: id))
    return id
  }

  package mutating func addConstant(_ tensor: Tensor, named name: String) -> ValueID {
    addValue(name, Fact(tensor), producer: nil)
  }

  package mutating func addOutput(_ name: String, _ value: ValueID) throws(ModelError) {
    guard !outputs.contains(where: { $0.name == name }) else {
      throw ModelError(.invalidGraph, "two outputs are named '\(name)'")
    }
    outputs.append(Port(name: name, value: value))
  }

  /// Applies `op`, inferring the types of its outputs.
  ///
  /// - Parameters:
  ///   - outputNames: names of the outputs; missing ones derive from `named`.
  ///   - quantizedAs: one entry for each output that is stored as int8 with these parameters.
  ///   - isChecked: the node's integer form was checked in a graph that this one is made of.
  /// - Throws: what ``Operator/infer(_:)`` throws, with the node's name on the trail;
  ///   `not-quantizable` where a quantized operand or output has no integer form.
  @discardableResult
  package mutating func append(
    _ op: any Operator, named name: String, to operands: [ValueID?], origin: String = "",
    outputNames: [String] = [], quantizedAs: [QuantizationParameters?] = [],
    isChecked: Bool = false
  ) throws(ModelError) -> [ValueID] {
    let stored = facts(operands)
    let types: [TensorType]
    do {
      types = try Graph.infer(op, stored, quantizedAs: quantizedAs, isChecked: isChecked)
    } catch {
      throw error.during("typing node '\(name)' (\(Swift.type(of: op).name))")
    }
    let extents = op.extents(stored)
    let nodeIndex = nodes.count
    var made: [ValueID] = []
    for (index, type) in types.enumerated() {
      let outputName =
        index < outputNames.count && !outputNames[index].isEmpty
        ? outputNames[index] : (index == 0 ? name : "\(name).\(index)")
      let known = index == 0 && type.quantization == nil ? extents : nil
      made.append(addValue(outputName, Fact(type, extents: known), producer: nodeIndex))
    }
    nodes.append(Node(name: name, op: op, inputs: operands, outputs: made, origin: origin))
    return made
  }

  /// Appends a node of `other` as it was typed there: `operands` are values with the facts that its own have.
  mutating func append(_ node: Node, of other: Graph, to operands: [ValueID?]) -> [ValueID] {
    let index = nodes.count
    let made = node.outputs.map { addValue(other[$0].name, other.fact($0), producer: index) }
    nodes.append(
      Node(name: node.name, op: node.op, inputs: operands, outputs: made, origin: node.origin))
    return made
  }

  /// Appends an operator with one output.
  package mutating func appendOne(
    _ op: any Operator, named name: String, to operands: [ValueID?], origin: String = "",
    quantizedAs: QuantizationParameters? = nil
  ) throws(ModelError) -> ValueID {
    try append(
      op, named: name, to: operands, origin: origin,
      quantizedAs: quantizedAs.map { [$0] } ?? [])[0]
  }

  /// Types of `op`'s outputs as they are stored.
  package static func infer(
    _ op: any Operator, _ stored: Operands<Fact>, quantizedAs: [QuantizationParameters?] = [],
    isChecked: Bool = false
  ) throws(ModelError) -> [TensorType] {
    let logical = try stored.map { (fact) throws(ModelError) in
      fact.type.quantization == nil ? fact : Fact(fact.type.logical)
    }
    if let sequence = stored.values.first(where: { $0?.type.isSequence ?? false }) ?? nil,
      !(op is any SequenceOperator), !(op is any GraphOperator)
    {
      throw ModelError(
        .typeMismatch, "\(Swift.type(of: op).name) of a \(sequence.type); it takes tensors")
    }
    var types: [TensorType]
    do {
      types = try op.infer(logical)
    } catch  where error.code == .unknownShape {
      types = try op.outputElements(logical).map { TensorType($0, nil) }
    }
    for type in types { try type.checkLimits() }
    for (index, parameters) in quantizedAs.enumerated() where index < types.count {
      guard let parameters else { continue }
      guard types[index].element == .float32 else {
        throw ModelError(.notQuantizable, "output \(index) is \(types[index].element), not float32")
      }
      types[index] = TensorType(.int8, types[index].dimensions, quantization: parameters)
    }
    let touchesIntegers =
      types.contains { $0.quantization != nil }
      || stored.values.contains { $0?.type.quantization != nil }
    if touchesIntegers && !isChecked {
      guard let integer = op as? any IntegerOperator else {
        throw ModelError(.notQuantizable, "\(Swift.type(of: op).name) has no integer form")
      }
      try integer.checkInteger(stored, types)
    }
    return types
  }

  private mutating func addValue(_ name: String, _ fact: Fact, producer: Int?) -> ValueID {
    values.append(Value(name: name, fact: fact, producer: producer))
    return ValueID(index: values.count - 1)
  }

  /// The quantization of each output of `node`, as ``append(_:named:to:origin:outputNames:quantizedAs:)``
  /// takes it.
  package func quantizations(of node: Node) -> [QuantizationParameters?] {
    node.outputs.map { type($0).quantization }
  }

  /// How many operands and graph outputs read each value.
  package func useCounts() -> [Int] {
    var counts = [Int](repeating: 0, count: values.count)
    for node in nodes { for input in node.inputs { if let input { counts[input.index] += 1 } } }
    for output in outputs { counts[output.value.index] += 1 }
    return counts
  }

  /// Types everything anew and compares, graphs within nodes first.
  ///
  /// - Throws: `invalid-graph` for a node that reads a later value, a wrong producer, or a recorded
  ///   type that inference does not give.
  package func verify() throws(ModelError) {
    var defined = Set<ValueID>()
    for (index, value) in values.enumerated() where value.producer == nil {
      defined.insert(ValueID(index: index))
    }
    for (index, node) in nodes.enumerated() {
      for input in node.inputs {
        guard let input else { continue }
        guard defined.contains(input) else {
          throw ModelError(.invalidGraph, "node '\(node.name)' reads a value that comes later")
        }
      }
      let types = try during("verifying node '\(node.name)'") { () throws(ModelError) in
        for (_, inner) in node.op.graphs { try inner.verify() }
        return try Graph.infer(node.op, facts(node.inputs), quantizedAs: quantizations(of: node))
      }
      guard types == node.outputs.map({ type($0) }) else {
        throw ModelError(
          .invalidGraph, "node '\(node.name)' does not have the types recorded for it")
      }
      for output in node.outputs {
        guard self[output].producer == index else {
          throw ModelError(.invalidGraph, "an output of '\(node.name)' names another producer")
        }
        defined.insert(output)
      }
    }
    for output in outputs where !defined.contains(output.value) {
      throw ModelError(.invalidGraph, "output '\(output.name)' is not made by any node")
    }
  }
}
