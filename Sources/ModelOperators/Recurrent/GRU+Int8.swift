import ModelIR
import TensorCore

extension GRU: IntegerRecurrentOperator {
  package func checkIntegerForm() throws(ModelError) {
    guard resetsAfter else {
      throw ModelError(.notQuantizable, "Q42: the reset gate acts before the product with R")
    }
  }

  /// `Q44`
  package func integerStep(
    _ gx: ArraySlice<Float>, _ gh: [Float], _ states: [[Float]]
  ) -> [[Float]] {
    let units = states[0].count
    let next = (0..<units).map { unit -> Float in
      let (zx, rx, cx) = (gx[unit], gx[units + unit], gx[2 * units + unit])
      let z = FixedFunctions.sigmoid(zx + gh[unit])
      let r = FixedFunctions.sigmoid(rx + gh[units + unit])
      let c = FixedFunctions.tanh(cx + r * gh[2 * units + unit])
      return (1 - z) * c + z * states[0][unit]
    }
    return [next]
  }
}
