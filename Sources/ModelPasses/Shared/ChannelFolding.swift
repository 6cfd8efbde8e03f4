import ModelIR
import ModelOperators
import TensorCore

/// Moves ``ChannelArithmetic`` into the weight and bias of the convolution or matrix product before or after
/// it. Sums and products are computed in `double` and rounded once.
struct ChannelFolding {
  /// Nodes whose arithmetic is to be folded.
  let accepts: @Sendable (any Operator) -> Bool

  func replacement(for node: Node, at site: inout RewriteSite) throws(ModelError) -> [ValueID]? {
    guard !site.isQuantized else { return nil }
    if accepts(node.op) { return try foldBackwards(node, at: &site) }
    if let op = node.op as? any FoldableOperator { return try foldForwards(node, op, at: &site) }
    return nil
  }

  /// scale · (w · x + b) + shift is (scale · w) · x + (scale · b + shift).
  private func foldBackwards(
    _ node: Node, at site: inout RewriteSite
  ) throws(ModelError) -> [ValueID]? {
    guard node.outputs.count == 1 else { return nil }
    for index in site.operands.indices {
      guard let producer = site.fusibleProducer(index),
        let op = producer.op as? any FoldableOperator, let weight = producer.node.input(1),
        let values = site.graph.constant(weight), values.quantization == nil
      else { continue }
      let layout = op.outputs(of: values.shape)
      guard
        let arithmetic = ChannelArithmetic(
          node, operands: site.operands, in: site.graph, axis: op.channelAxis,
          channels: layout.count), arithmetic.operand == index,
        // A residual is added before the scale would be.
        producer.node.input(3) == nil || arithmetic.scale == nil
      else { continue }
      guard let bias = bias(of: producer.node, in: site.graph, channels: layout.count) else {
        continue
      }
      var sums = bias
      for channel in sums.indices {
        if let scale = arithmetic.scale { sums[channel] *= scale[channel] }
        if let shift = arithmetic.shift { sums[channel] += shift[channel] }
      }
      let scaled = try arithmetic.scale.map { (factors) throws(ModelError) in
        try layout.scale(values, by: factors)
      }
      return try site.replace(
        node, by: op,
        to: operands(of: producer.node, weight: scaled, bias: sums, values, at: &site),
        after: producer.node)
    }
    return nil
  }

  /// w · (scale · x + shift) + b is (w · scale) · x + (Σ w · shift + b), where all of w is summed.
  private func foldForwards(
    _ node: Node, _ op: some FoldableOperator, at site: inout RewriteSite
  ) throws(ModelError) -> [ValueID]? {
    guard site.operandUses[0] == 1, let input = site.operand(0),
      let source = site.graph.producer(of: input), accepts(source.op), source.outputs.count == 1,
      let values = site.constant(1), values.quantization == nil
    else { return nil }
    let (inputs, outputs) = (op.inputs(of: values.shape), op.outputs(of: values.shape))
    guard
      let arithmetic = ChannelArithmetic(
        source, operands: source.inputs, in: site.graph, axis: op.inputChannelAxis,
        channels: inputs.count),
      let data = source.inputs[arithmetic.operand],
      site.graph.type(data).dimensions == site.graph.type(input).dimensions,
      var sums = bias(of: node, operands: site.operands, in: site.graph, channels: outputs.count)
    else { return nil }
    if let shift = arithmetic.shift, shift.contains(where: { $0 != 0 }) {
      guard op.sumsEverywhere else { return nil }
      let added = inputs.contributions(of: shift, through: values, to: outputs)
      for channel in sums.indices { sums[channel] += added[channel] }
    }
    let scaled = try arithmetic.scale.map { (factors) throws(ModelError) in
      try inputs.scale(values, by: factors)
    }
    var operands = try operands(
      of: node, site.operands, weight: scaled, bias: sums, values, at: &site)
    operands[0] = data
    return try site.replace(node, by: op, to: operands)
  }

  /// The bias in `double`; nil where it is not a constant for each channel.
  private func bias(
    of node: Node, operands: [ValueID?]? = nil, in graph: Graph, channels: Int
  ) -> [Double]? {
    let operands = operands ?? node.inputs
    guard operands.count > 2, let id = operands[2] else {
      return [Double](repeating: 0, count: channels)
    }
    guard let bias = graph.constant(id), bias.count == channels else { return nil }
    return bias.doubles()
  }

  /// Operands with the new weight and bias; a bias of zeros where there was none stays out.
  private func operands(
    of node: Node, _ given: [ValueID?]? = nil, weight: Tensor?, bias: [Double], _ old: Tensor,
    at site: inout RewriteSite
  ) throws(ModelError) -> [ValueID?] {
    var operands = given ?? node.inputs
    guard let oldWeight = operands[1] else { return operands }
    if let weight {
      operands[1] = site.graph.addConstant(weight, named: site.graph[oldWeight].name)
    }
    let oldBias = operands.count > 2 ? operands[2] : nil
    if oldBias == nil, bias.allSatisfy({ $0 == 0 }) { return operands }
    let name =
      oldBias.map { site.graph[$0].name } ?? site.graph.biasName(for: oldWeight)
    let tensor = Tensor(old.element, try Shape([bias.count]), doubles: bias)
    return setting(2, of: operands, to: site.graph.addConstant(tensor, named: name))
  }
}
