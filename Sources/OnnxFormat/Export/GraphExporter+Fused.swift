import ModelIR
import ModelOperators
import TensorCore

/// What passes fused, in ONNX's operators again.
extension GraphExporter {
  // MARK: - Layers

  /// The layer, then bias and residual where the node cannot take them, then the activation.
  mutating func export(_ op: any LayerOperator, _ node: Node) throws(ModelError) -> String {
    let operands = Operands(node.inputs)
    let (x, w) = (try operand(node, 0), try operand(node, 1))
    var sums: String
    if let linear = op as? Linear {
      sums = linearSums(linear, node, x, w)
    } else {
      let bare = op.bare
      let count = operands.optional(2) ?? nil == nil ? 2 : 3
      let inputs = Array(node.inputs.prefix(count))
      let form = try ForeignForm(
        bare, operands: inputs.map { $0.map { fact($0) } }, outputCount: 1, opset: opset,
        named: node.name)
      sums = emit(
        form.kind, inputs.map { $0.map { realName($0) } ?? "" }, as: "\(node.name).sums",
        attributes: form.attributes)
    }
    if let residual = operands.optional(3) ?? nil {
      sums = emit("Add", [sums, realName(residual)], as: "\(node.name).residual")
    }
    let slope = try (operands.optional(4) ?? nil).map { (id) throws(ModelError) in
      try slopeName(id, op, node)
    }
    return activation(op.epilogue, sums, slope, node)
  }

  private func operand(_ node: Node, _ index: Int) throws(ModelError) -> ValueID {
    guard index < node.inputs.count, let id = node.inputs[index] else {
      throw ModelError(.invalidGraph, "operand \(index) of '\(node.name)' is missing")
    }
    return id
  }

  /// A matrix product over the last axis, as Gemm where the operand is a matrix.
  private mutating func linearSums(
    _ op: Linear, _ node: Node, _ x: ValueID, _ w: ValueID
  ) -> String {
    let bias = node.inputs.count > 2 ? node.inputs[2] : nil
    if fact(x).type.rank == 2 {
      let transpose = OnnxAttribute(name: "transB", content: .value(.integer(1)))
      return emit(
        "Gemm", [realName(x), realName(w)] + (bias.map { [realName($0)] } ?? []),
        as: "\(node.name).sums", attributes: op.transposeWeight ? [transpose] : [])
    }
    var weight = realName(w)
    if op.transposeWeight {
      let order = OnnxAttribute(name: "perm", content: .value(.integers([1, 0])))
      weight = emit("Transpose", [weight], as: "\(weight).transposed", attributes: [order])
    }
    let product = emit("MatMul", [realName(x), weight], as: "\(node.name).product")
    guard let bias else { return product }
    return emit("Add", [product, realName(bias)], as: "\(node.name).sums")
  }

  /// A slope of one value for each channel, shaped so that it broadcasts to the result.
  private mutating func slopeName(
    _ id: ValueID, _ op: any LayerOperator, _ node: Node
  ) throws(ModelError) -> String {
    guard let rank = graph.type(node.outputs[0]).rank else {
      throw ModelError(.unknownShape, "the rank of '\(node.name)' is not known")
    }
    let after = rank - 1 - op.channelAxis(rank: rank)
    guard after > 0 else { return realName(id) }
    guard let slope = graph.constant(id) else {
      throw ModelError(.unsupportedFeature, "the slope of '\(node.name)' is not constant")
    }
    let shape = try Shape([slope.count] + [Int](repeating: 1, count: after))
    return constant(try slope.reshaped(to: shape), named: "\(graph[id].name).slope")
  }

  private mutating func activation(
    _ epilogue: Epilogue, _ x: String, _ slope: String?, _ node: Node
  ) -> String {
    let name = node.name
    switch epilogue.activation {
    case .none: return x
    case .relu: return emit("Relu", [x], as: "\(name).relu")
    case .leakyRelu:
      let alpha = OnnxAttribute(name: "alpha", content: .value(.float(epilogue.alpha)))
      return emit("LeakyRelu", [x], as: "\(name).leaky", attributes: [alpha])
    case .prelu: return emit("PRelu", [x, slope ?? ""], as: "\(name).prelu")
    case .clip:
      var inputs = [x]
      inputs.append(
        epilogue.lower > -.infinity
          ? constant(Tensor(scalar: epilogue.lower), named: "\(name).lower") : "")
      if epilogue.upper < .infinity {
        inputs.append(constant(Tensor(scalar: epilogue.upper), named: "\(name).upper"))
      } else if inputs[1].isEmpty {
        inputs.removeLast()
      }
      return emit("Clip", inputs, as: "\(name).clip")
    case .sigmoid: return emit("Sigmoid", [x], as: "\(name).sigmoid")
    case .tanh: return emit("Tanh", [x], as: "\(name).tanh")
    case .gelu: return emit("Gelu", [x], as: "\(name).gelu")
    case .silu:
      let gate = emit("Sigmoid", [x], as: "\(name).gate")
      return emit("Mul", [x, gate], as: "\(name).silu")
    case .hardSwish: return emit("HardSwish", [x], as: "\(name).hardswish")
    }
  }

  // MARK: - Normalisation

  /// ReduceL2, bounded from below, and the quotient.
  mutating func export(_ op: NormalizeL2, _ node: Node) throws(ModelError) -> String {
    let x = realName(try operand(node, 0))
    let keep = OnnxAttribute(name: "keepdims", content: .value(.integer(1)))
    let norm: String
    if opset >= 18 {
      let axes = constant(Tensor(vector: [Int64(op.axis)]), named: "\(node.name).axes")
      norm = emit("ReduceL2", [x, axes], as: "\(node.name).norm", attributes: [keep])
    } else {
      let axes = OnnxAttribute(name: "axes", content: .value(.integers([op.axis])))
      norm = emit("ReduceL2", [x], as: "\(node.name).norm", attributes: [axes, keep])
    }
    let least = constant(Tensor(scalar: op.epsilon), named: "\(node.name).least")
    let divisor = emit("Max", [norm, least], as: "\(node.name).divisor")
    return emit("Div", [x, divisor], as: "\(node.name).normalized")
  }

  // MARK: - Transforms

  /// Since opset 20 the axis is an operand.
  mutating func export(_ op: DFT, _ node: Node) throws(ModelError) {
    let length = node.inputs.count > 1 ? node.inputs[1].map { realName($0) } : nil
    let axis = constant(Tensor(scalar: Int64(op.axis)), named: "\(node.name).axis")
    let flags = [("inverse", op.inverse), ("onesided", op.onesided)].filter(\.1).map {
      OnnxAttribute(name: $0.0, content: .value(.integer(1)))
    }
    emit(
      "DFT", [realName(try operand(node, 0)), length ?? "", axis],
      [storedName(node.outputs[0])], name: node.name, attributes: flags)
  }

  // MARK: - Tables

  /// The function that the table was made from, where its default form gives the same table and the opset
  /// knows it; else the table itself, as an exact Gather.
  mutating func export(_ op: LookupTable, _ node: Node) throws(ModelError) -> String {
    let (x, entries) = (try operand(node, 0), try operand(node, 1))
    guard let table = graph.constant(entries), let to = table.quantization,
      let from = graph.type(x).quantization
    else { throw ModelError(.notQuantizable, "the table of '\(node.name)' has no parameters") }
    if let function = LookupTableFunction.named(op.function),
      LookupTable.table(from: from, to: to, { function.apply($0) }) == table
    {
      if function is Swish {
        let gate = emit("Sigmoid", [realName(x)], as: "\(node.name).gate")
        return emit("Mul", [realName(x), gate], as: "\(node.name).real")
      }
      if let form = try? ForeignForm(
        function, operands: [fact(x)], outputCount: 1, opset: opset, named: node.name)
      {
        return emit(form.kind, [realName(x)], as: "\(node.name).real", attributes: form.attributes)
      }
    }
    return gathered(table, at: x, node)
  }

  /// The real numbers of the table's entries at x + 128.
  private mutating func gathered(_ table: Tensor, at x: ValueID, _ node: Node) -> String {
    let name = node.name
    let integers = emit(
      "Cast", [storedName(x)], as: "\(name).integers",
      attributes: [OnnxAttribute(name: "to", content: .value(.integer(6)))])
    let offset = constant(Tensor(scalar: Int32(128)), named: "\(name).offset")
    let index = emit("Add", [integers, offset], as: "\(name).index")
    let values = constant(
      table.dequantized(), named: "\(name).values")
    return emit("Gather", [values, index], as: "\(name).real")
  }
}

/// Functions that a table can have been made from.
enum LookupTableFunction {
  static func named(_ name: String) -> (any UnaryOperator)? {
    for candidate in allOperators where candidate.name == name {
      return candidate.init() as? any UnaryOperator
    }
    return nil
  }
}
