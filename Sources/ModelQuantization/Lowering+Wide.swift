import ModelIR
import ModelOperators
import TensorCore

/// Layers that read 16 bits: two int8 operands whose sum is the value, one after the other with the same weights
/// (`Q59`).
extension Lowering {
  mutating func appendWide(_ node: Node) throws(ModelError) {
    guard let first = node.inputs[0] else { throw ModelError(.invalidGraph, "no operand") }
    let (high, low) = try halves(of: first)
    guard let op = node.op as? any WeightedOperator else {
      return try appendWideProduct(node, high, low)
    }
    var operands = try weighing(high, node, op)
    if node.inputs.count > 3, let residual = node.inputs[3] {
      operands += [ValueID?](repeating: nil, count: 3 - operands.count)
      operands.append(try asFloat(residual))
    }
    var plain = op
    plain.epilogue = Epilogue()
    let sum = try target.appendOne(
      plain, named: "\(node.name).high", to: operands, origin: node.origin)
    operands = [low, operands[1], nil, sum]
    if node.inputs.count > 4, let slope = node.inputs[4] { operands.append(try asFloat(slope)) }
    floats[node.outputs[0].index] = try target.append(
      op, named: node.name, to: operands, origin: node.origin,
      outputNames: [source[node.outputs[0]].name])[0]
  }

  /// A product whose first operand has 16 bits: the sum of those of its halves.
  private mutating func appendWideProduct(
    _ node: Node, _ high: ValueID, _ low: ValueID
  ) throws(ModelError) {
    guard let second = node.inputs[1] else { throw ModelError(.invalidGraph, "no operand") }
    let right = try asInteger(second)
    let products = [
      try target.appendOne(
        node.op, named: "\(node.name).high", to: [high, right], origin: node.origin),
      try target.appendOne(
        node.op, named: "\(node.name).low", to: [low, right], origin: node.origin),
    ]
    floats[node.outputs[0].index] = try target.append(
      Add(), named: node.name, to: products, origin: node.origin,
      outputNames: [source[node.outputs[0]].name])[0]
  }

  /// A value as the sum of two int8 ones, the second of which has the finer scale.
  private mutating func halves(
    of id: ValueID
  ) throws(ModelError) -> (high: ValueID, low: ValueID) {
    if let known = halves[id] { return known }
    let name = source[id].name
    guard let range = wideRanges[id] else {
      throw ModelError(.notQuantizable, "the range of '\(name)' is not known")
    }
    let coarse = range.parameters
    let fine = QuantizationParameters(scale: max(coarse.scale / 254, 0x1p-120), zeroPoint: 0)
    let x = try asFloat(id)
    let high = try target.appendOne(
      Quantize(), named: "\(name).high", to: [x], quantizedAs: coarse)
    let back = try target.appendOne(Dequantize(), named: "\(name).high.float", to: [high])
    let rest = try target.appendOne(Sub(), named: "\(name).rest", to: [x, back])
    let low = try target.appendOne(Quantize(), named: "\(name).low", to: [rest], quantizedAs: fine)
    activations.append(
      QuantizationRecord.Activation(
        name: name, lower: range.lower, upper: range.upper, scale: fine.scale, zeroPoint: 0))
    halves[id] = (high, low)
    return (high, low)
  }
}

extension ValueRange {
  /// A quarter more on each side, which 16 bits can afford.
  var widened: ValueRange { ValueRange(lower: lower * 1.25, upper: upper * 1.25) }
}
