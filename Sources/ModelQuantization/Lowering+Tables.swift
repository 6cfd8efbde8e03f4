import ModelIR
import ModelOperators
import TensorCore

/// Float constants of which rows are taken, as int8 (`Q69`).
extension Lowering {
  /// A table with a scale for each of its rows.
  mutating func rows(of table: ValueID) throws(ModelError) -> ValueID {
    if let known = tables[table] { return known }
    guard let constant = source.constant(table), let axis = forms.tables.axis(table) else {
      throw ModelError(.invalidGraph, "'\(source[table].name)' is no table")
    }
    let stored = WeightQuantization.weights(
      constant, axis: axis, bias: nil, input: QuantizationParameters(scale: 1, zeroPoint: 0),
      rounding: rounding)
    let made = target.addConstant(stored, named: source[table].name)
    tables[table] = made
    return made
  }

  /// Rows as real numbers, for those who read them so.
  mutating func appendLookup(_ node: Node) throws(ModelError) {
    guard let table = node.inputs[0], let indices = node.inputs[1] else {
      throw ModelError(.invalidGraph, "no operand")
    }
    let output = node.outputs[0]
    floats[output.index] = try target.append(
      node.op, named: node.name, to: [try rows(of: table), try asFloat(indices)],
      origin: node.origin, outputNames: [source[output].name])[0]
  }
}
