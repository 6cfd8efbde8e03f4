import ModelIR
import TensorCore

extension LSTM: IntegerRecurrentOperator {
  package func checkIntegerForm() throws(ModelError) {}

  /// `Q45`
  package func integerStep(
    _ gx: ArraySlice<Float>, _ gh: [Float], _ states: [[Float]]
  ) -> [[Float]] {
    let units = states[0].count
    var (h, c) = (states[0], states[1])
    for unit in 0..<units {
      let sum = { (gate: Int) in gx[gate * units + unit] + gh[gate * units + unit] }
      let i = FixedFunctions.sigmoid(sum(0))
      let o = FixedFunctions.sigmoid(sum(1))
      let f = couplesForget ? 1 - i : FixedFunctions.sigmoid(sum(2))
      c[unit] = f * c[unit] + i * FixedFunctions.tanh(sum(3))
      h[unit] = o * FixedFunctions.tanh(c[unit])
    }
    return [h, c]
  }
}
