import ModelIR
import ModelOperators
import TensorCore

/// Functions of one number, one after another, that start at integers of the file: together one table of 256
/// entries (`Q55`).
struct ElementChain {
  /// The value that has an int8 form: its integers, or the real numbers they stand for.
  let root: ValueID
  let nodes: [Int]
}

extension AdoptedLowering {
  /// Leaves a function of one number to what reads it: a table where that quantizes the result.
  mutating func postpone(_ node: Node, at index: Int) throws(ModelError) -> Bool {
    guard node.outputs.count == 1, let x = variable(of: node),
      source.type(x).dimensions == source.type(node.outputs[0]).dimensions,
      source.type(x).dimensions != nil
    else { return false }
    if let chain = chains[x.index] {
      chains[node.outputs[0].index] = ElementChain(root: chain.root, nodes: chain.nodes + [index])
      return true
    }
    guard hasInteger(x) else { return false }
    _ = try asInteger(x)
    chains[node.outputs[0].index] = ElementChain(root: x, nodes: [index])
    return true
  }

  /// The operand that is not constant, where the node maps each of its elements by itself.
  private func variable(of node: Node) -> ValueID? {
    var found: ValueID?
    for input in node.inputs {
      guard let input, source.constant(input) == nil else { continue }
      guard found == nil else { return nil }
      found = input
    }
    func isScalar(_ index: Int) -> Bool {
      guard index < node.inputs.count, let id = node.inputs[index] else { return true }
      return id == found || source.constant(id)?.count == 1
    }
    switch node.op {
    case is any UnaryOperator, is Cast: return found
    case is any BinaryOperator: return isScalar(0) && isScalar(1) ? found : nil
    case is PRelu: return isScalar(1) ? found : nil
    case is Clip: return isScalar(1) && isScalar(2) ? found : nil
    case let op as Gather:
      return op.axis == 0 && node.inputs[1] == found
        && node.inputs[0].flatMap { source.constant($0) }?.shape.rank == 1 ? found : nil
    default: return nil
    }
  }

  /// The chain as a table whose entries read with `parameters`; nil where its functions do not go from
  /// 256 numbers to 256 numbers.
  mutating func table(
    _ chain: ElementChain, to parameters: QuantizationParameters, named name: String
  ) throws(ModelError) -> ValueID? {
    guard let q = integers[chain.root.index], let from = target.type(q).quantization,
      let entries = try entries(chain, from: from, to: parameters)
    else { return nil }
    let last = source.nodes[chain.nodes[chain.nodes.count - 1]]
    let function = chain.nodes.map { type(of: source.nodes[$0].op).name }
      .joined(separator: " ")
    let id = target.addConstant(entries, named: "\(last.name).table")
    return try target.append(
      LookupTable(function: function), named: last.name, to: [q, id], origin: last.origin,
      outputNames: [name], quantizedAs: [parameters])[0]
  }

  private func entries(
    _ chain: ElementChain, from: QuantizationParameters, to: QuantizationParameters
  ) throws(ModelError) -> Tensor? {
    let nodes = chain.nodes.map { source.nodes[$0] }
    let functions = nodes.compactMap { $0.op as? any UnaryOperator }
    let start = source.type(chain.root).element
    if functions.count == nodes.count, start == .float32 {
      return LookupTable.table(from: from, to: to) { x in
        functions.reduce(x) { $1.apply($0) }
      }
    }
    let shape = try Shape([256])
    var values: Tensor
    if start == .float32 {
      let all = (-128...127).map { Int8($0) }
      values = Tensor(shape, all, quantization: from).dequantized()
    } else {
      let offset = Int64(FileParameters.offset(of: start))
      values = Tensor(start, shape, integers: (-128...127).map { Int64($0) + offset })
    }
    var previous = chain.root
    for node in nodes {
      let operands = node.inputs.map { input in
        input.flatMap { $0 == previous ? values : source.constant($0) }
      }
      values = try node.op.reference(Operands(operands))[0]
      guard values.count == 256 else { return nil }
      previous = node.outputs[0]
    }
    if values.element == .float32 {
      return Tensor(
        shape,
        values.floats().map {
          IntegerArithmetic.clampToInt8($0 / to.scale, zeroPoint: to.zeroPoint)
        }, quantization: to)
    }
    guard values.element == start else { return nil }
    let offset = Int64(FileParameters.offset(of: start))
    return Tensor(
      shape, values.integers().map { Int8(truncatingIfNeeded: $0 - offset) }, quantization: to)
  }
}
