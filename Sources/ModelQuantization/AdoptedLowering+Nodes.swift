import ModelIR
import ModelOperators
import TensorCore

extension AdoptedLowering {
  /// Appends the node's integer form.
  ///
  /// - Returns: why it has none here; nil where it has.
  /// - Throws: `not-quantizable` with the same meaning.
  mutating func appendInteger(_ node: Node, at index: Int) throws(ModelError) -> String? {
    let name = type(of: node.op).name
    if let weighted = node.op as? any WeightedOperator {
      return try appendWeighted(node, weighted)
    }
    if let recurrent = node.op as? any IntegerRecurrentOperator {
      return try appendRecurrent(node, recurrent)
    }
    if try postpone(node, at: index) { return nil }
    guard let output = node.outputs.first, source.type(output).element == .float32 || isRaw(node)
    else { return "\(name) does not make real numbers" }
    if node.op is any MovingOperator || isNearest(node.op) { return try appendMoving(node) }
    guard node.op is any IntegerOperator else {
      return FloatReason.noIntegerForm(name).text
    }
    return try appendTransparent(node)
  }

  /// True where operand 0 is integers of the file whose meaning is known.
  private func isRaw(_ node: Node) -> Bool {
    guard let first = node.inputs.first ?? nil else { return false }
    return source.type(first).element.byteCount == 1 && integers[first.index] != nil
      && node.outputs.allSatisfy { source.type($0).element == source.type(first).element }
  }

  private func isNearest(_ op: any Operator) -> Bool { (op as? Resize)?.mode == .nearest }

  private func unquantized(_ id: ValueID) -> String {
    "the file does not quantize its operand '\(source[id].name)'"
  }

  /// Elements that change place only: the parameters stay.
  private mutating func appendMoving(_ node: Node) throws(ModelError) -> String? {
    guard let first = node.inputs[0] else { return "it has no operand" }
    guard hasInteger(first) else { return unquantized(first) }
    let x = try asInteger(first)
    var operands: [ValueID?] = [x]
    for input in node.inputs.dropFirst() {
      if let input { operands.append(try asPlain(input)) } else { operands.append(nil) }
    }
    let made = try target.append(
      node.op, named: node.name, to: operands, origin: node.origin,
      outputNames: node.outputs.map { source[$0].name },
      quantizedAs: node.outputs.map { _ in target.type(x).quantization })
    for (old, id) in zip(node.outputs, made) { integers[old.index] = id }
    return nil
  }

  /// An operator without weights that has an integer form of its own; products write float32 where the file
  /// does not quantize them.
  private mutating func appendTransparent(_ node: Node) throws(ModelError) -> String? {
    let output = node.outputs[0]
    let data = Set(FormPlan.dataOperands(node, source))
    for operand in data.sorted() where !hasInteger(operand) { return unquantized(operand) }
    let parameters = wanted[output.index]
    if parameters == nil, !(node.op is MatMul) { return AdoptedLowering.noQuantizedResult }
    var operands: [ValueID?] = []
    for input in node.inputs {
      guard let input else {
        operands.append(nil)
        continue
      }
      operands.append(data.contains(input) ? try asInteger(input) : try asPlain(input))
    }
    let made = try target.append(
      node.op, named: node.name, to: operands, origin: node.origin,
      outputNames: [source[output].name], quantizedAs: [parameters])[0]
    if parameters == nil { setPlain(output, to: made) } else { finished[output.index] = made }
    return nil
  }

  // MARK: Layers

  /// A layer with weights: int8 where the file quantizes its result, float32 elsewhere.
  private mutating func appendWeighted(
    _ node: Node, _ op: any WeightedOperator
  ) throws(ModelError) -> String? {
    guard let first = node.inputs[0], let weight = node.inputs[1] else {
      return "an operand is missing"
    }
    guard hasInteger(first) else { return unquantized(first) }
    guard let stored = try StoredConstant(weight, in: source) else {
      return source.constant(weight) == nil
        ? "its weights are not constant" : "the file does not quantize its weights"
    }
    var x = try asInteger(first)
    guard let input = target.type(x).quantization else { return unquantized(first) }
    let doubling = AdoptedLowering.inputChannelAxis(op)
    let weights = try stored.weights(channels: op.weightChannelAxis, doubling: doubling)
    if stored.rest != nil, let rank = target.type(x).rank {
      x = try target.appendOne(
        Concat(axis: op is Linear ? rank - 1 : 1), named: "\(node.name).twice", to: [x, x],
        origin: node.origin, quantizedAs: input)
    }
    var operands: [ValueID?] = [x, target.addConstant(weights, named: source[weight].name)]
    if node.inputs.count > 2 {
      if let bias = node.inputs[2], let scales = weights.quantization?.scales {
        let all = (0..<op.weightChannelRepeats).flatMap { _ in scales }
        operands.append(try self.bias(bias, scales: all, input))
      } else {
        operands.append(nil)
      }
    }
    if let parameters = wanted[node.outputs[0].index] {
      do {
        try append(node, op, operands, quantizedAs: parameters)
        return nil
      } catch  where error.code == .notQuantizable {
        // What it appended for the node stays unread and goes at the end.
      }
    }
    try append(node, op, operands, quantizedAs: nil)
    return nil
  }

  /// The axis of a layer's weights that counts the channels of its operand; nil where channels have groups.
  private static func inputChannelAxis(_ op: any WeightedOperator) -> Int? {
    switch op {
    case let op as Convolution: op.groups == 1 ? 1 : nil
    case let op as TransposedConvolution: op.groups == 1 ? 0 : nil
    case let op as Linear: op.transposeWeight ? 1 : 0
    default: nil
    }
  }

  private mutating func append(
    _ node: Node, _ op: any WeightedOperator, _ layer: [ValueID?],
    quantizedAs parameters: QuantizationParameters?
  ) throws(ModelError) {
    var operands = layer
    if node.inputs.count > 3 {
      if let residual = node.inputs[3] {
        operands.append(hasInteger(residual) ? try asInteger(residual) : try asPlain(residual))
      } else {
        operands.append(nil)
      }
    }
    if node.inputs.count > 4 {
      if let slope = node.inputs[4] {
        operands.append(try asPlain(slope))
      } else {
        operands.append(nil)
      }
    }
    let output = node.outputs[0]
    let made = try target.append(
      op, named: node.name, to: operands, origin: node.origin, outputNames: [source[output].name],
      quantizedAs: [parameters])
    if parameters == nil { setPlain(output, to: made[0]) } else { finished[output.index] = made[0] }
  }

  /// The file's integers where their scale is sx·sw, else the nearest ones of that scale (`Q54`).
  private mutating func bias(
    _ id: ValueID, scales: [Float], _ input: QuantizationParameters
  ) throws(ModelError) -> ValueID {
    let name = source[id].name
    let products = scales.map { input.scale * $0 }
    if let stored = try StoredConstant(id, in: source),
      let bias = try stored.bias(expected: products)
    {
      return target.addConstant(bias, named: name)
    }
    let value = try asPlain(id)
    guard let real = target.constant(value), real.count == scales.count else {
      throw ModelError(.notQuantizable, "its bias is not constant")
    }
    return target.addConstant(
      try WeightQuantization.bias(
        try real.reshaped(to: try Shape([real.count])), weightScales: scales, input: input),
      named: name)
  }

  /// A recurrent layer: int8 weights for input and state, everything else float32 (`Q42`).
  private mutating func appendRecurrent(
    _ node: Node, _ op: any IntegerRecurrentOperator
  ) throws(ModelError) -> String? {
    guard let first = node.inputs[0] else { return "it has no operand" }
    guard hasInteger(first) else { return unquantized(first) }
    try op.checkIntegerForm()
    var operands: [ValueID?] = [try asInteger(first)]
    for (index, operand) in node.inputs.enumerated().dropFirst() {
      guard let operand else {
        operands.append(nil)
        continue
      }
      guard index <= 2 else {
        operands.append(try asPlain(operand))
        continue
      }
      guard let stored = try StoredConstant(operand, in: source) else {
        return "the file does not quantize its weights"
      }
      operands.append(
        target.addConstant(
          try stored.weights(channels: 1, doubling: nil), named: source[operand].name))
    }
    let parameters = wanted[node.outputs[0].index]
    let made = try target.append(
      op, named: node.name, to: operands, origin: node.origin,
      outputNames: node.outputs.map { source[$0].name }, quantizedAs: [parameters])
    for (index, (old, id)) in zip(node.outputs, made).enumerated() {
      if index == 0, parameters != nil {
        finished[old.index] = id
      } else {
        setPlain(old, to: id)
      }
    }
    return nil
  }
}
