import ModelIR
import ModelOperators
import TensorCore

extension Lowering {
  /// A memory: int16 keys with a scale for each slot and int8 values with one for each output, the query float32 (`Q61`).
  mutating func appendMemory(_ node: Node) throws(ModelError) {
    var operands: [ValueID?] = []
    for (index, operand) in node.inputs.enumerated() {
      guard let operand else {
        operands.append(nil)
        continue
      }
      guard (1...2).contains(index), let constant = source.constant(operand) else {
        operands.append(try asFloat(operand))
        continue
      }
      let stored =
        index == 1
        ? WeightQuantization.wideWeights(constant, axis: 0)
        : WeightQuantization.weights(
          constant, axis: 1, bias: nil, input: QuantizationParameters(scale: 1, zeroPoint: 0),
          rounding: rounding)
      operands.append(target.addConstant(stored, named: source[operand].name))
    }
    let (read, address) = (node.outputs[0], node.outputs[1])
    let isInteger = forms.isWantedAsInteger(read)
    let made = try target.append(
      node.op, named: node.name, to: operands, origin: node.origin,
      outputNames: node.outputs.map { source[$0].name },
      quantizedAs: isInteger ? [try parameters(of: read)] : [])
    if isInteger { integers[read.index] = made[0] } else { floats[read.index] = made[0] }
    floats[address.index] = made[1]
  }
}
