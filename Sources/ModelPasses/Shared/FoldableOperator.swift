import ModelIR
import ModelOperators
import TensorCore

/// An operator that ends in an ``Epilogue`` whose residual and slope are operands 3 and 4.
package protocol FusibleOperator: Operator {
  var epilogue: Epilogue { get set }
  /// The axis of the result that counts channels.
  func channelAxis(rank: Int) -> Int
}

/// A fusible operator with a weight (operand 1) and one bias for each output channel (operand 2), which can
/// take in what is done to the channels before or after it.
package protocol FoldableOperator: FusibleOperator {
  /// Output channels of a weight's elements.
  func outputs(of weight: Shape) -> ChannelLayout
  /// Input channels of a weight's elements.
  func inputs(of weight: Shape) -> ChannelLayout
  /// The axis of operand 0 that counts channels.
  func inputChannelAxis(rank: Int) -> Int
  /// True where every element of the result sums over the whole weight, so that a constant added to
  /// operand 0 adds a constant to the result.
  var sumsEverywhere: Bool { get }
}

extension Convolution: FoldableOperator {
  package func channelAxis(rank: Int) -> Int { 1 }
  package func inputChannelAxis(rank: Int) -> Int { 1 }

  package func outputs(of weight: Shape) -> ChannelLayout {
    ChannelLayout(channels: weight[0], inner: weight.count(1..<weight.rank))
  }

  package func inputs(of weight: Shape) -> ChannelLayout {
    ChannelLayout(
      groups: groups, rows: weight[0] / groups, channels: weight[1],
      inner: weight.count(2..<weight.rank))
  }

  package var sumsEverywhere: Bool {
    window.autoPad == .valid
      || (window.autoPad == .explicit && window.pads.allSatisfy { $0 == 0 })
  }
}

extension TransposedConvolution: FoldableOperator {
  package func channelAxis(rank: Int) -> Int { 1 }
  package func inputChannelAxis(rank: Int) -> Int { 1 }

  package func outputs(of weight: Shape) -> ChannelLayout {
    ChannelLayout(
      groups: groups, rows: weight[0] / groups, channels: weight[1],
      inner: weight.count(2..<weight.rank))
  }

  package func inputs(of weight: Shape) -> ChannelLayout {
    ChannelLayout(channels: weight[0], inner: weight.count(1..<weight.rank))
  }

  package var sumsEverywhere: Bool { false }
}

extension Linear: FoldableOperator {
  package func channelAxis(rank: Int) -> Int { rank - 1 }
  package func inputChannelAxis(rank: Int) -> Int { rank - 1 }

  package func outputs(of weight: Shape) -> ChannelLayout {
    transposeWeight
      ? ChannelLayout(channels: weight[0], inner: weight[1])
      : ChannelLayout(rows: weight[0], channels: weight[1])
  }

  package func inputs(of weight: Shape) -> ChannelLayout {
    transposeWeight
      ? ChannelLayout(rows: weight[0], channels: weight[1])
      : ChannelLayout(channels: weight[0], inner: weight[1])
  }

  package var sumsEverywhere: Bool { true }
}

extension Gemm: FusibleOperator {
  package func channelAxis(rank: Int) -> Int { 1 }
}

extension RewriteSite {
  /// Operand `index` where a fusible operator makes it, nothing else reads it, and its activation is
  /// still free.
  func fusibleProducer(_ index: Int) -> (op: any FusibleOperator, node: Node)? {
    guard index < operandUses.count, operandUses[index] == 1, let id = operand(index),
      let node = graph.producer(of: id), let op = node.op as? any FusibleOperator,
      op.epilogue.activation == .none
    else { return nil }
    return (op, node)
  }
}

extension Node {
  /// The operand, nil where it is absent.
  package func input(_ index: Int) -> ValueID? { index < inputs.count ? inputs[index] : nil }
}

extension Graph {
  /// The name of the bias that a fold adds to a weight.
  func biasName(for weight: ValueID) -> String {
    let name = self[weight].name
    return name.hasSuffix(".weight") ? name.dropLast(6) + "bias" : name + ".bias"
  }
}

/// Operands without absent ones at the end.
func trimmed(_ operands: [ValueID?]) -> [ValueID?] {
  var operands = operands
  while operands.last == .some(nil) { operands.removeLast() }
  return operands
}

/// `operands` with operand `index` set.
func setting(_ index: Int, of operands: [ValueID?], to id: ValueID?) -> [ValueID?] {
  var operands = operands
  while operands.count <= index { operands.append(nil) }
  operands[index] = id
  return trimmed(operands)
}
