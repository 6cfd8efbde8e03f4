import ModelIR
import TensorCore

extension AveragePool: IntegerOperator {
  package func checkInteger(
    _ inputs: Operands<Fact>, _ outputs: [TensorType]
  ) throws(ModelError) {
    try IntegerArithmetic.expectActivations(inputs, outputs)
  }

  /// `Q25`.
  package func integerReference(
    _ inputs: Operands<Tensor>, _ outputs: [TensorType]
  ) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    let from = try IntegerArithmetic.activation(x.type, "operand")
    let to = try IntegerArithmetic.output(outputs)
    let geometry = try geometry(of: x.shape)
    let values = x.integers().map { $0 - Int64(from.zeroPoint) }
    let counts = (0..<geometry.outputCount).map {
      countsPadding ? geometry.paddedCount(at: $0) : geometry.taps(at: $0).count
    }
    let shape = try pooledShape(x.shape, geometry)
    var result = [Int8](repeating: 0, count: shape.count)
    forEachWindow(of: x.shape, geometry) { taps, plane, position, output in
      var sum: Int64 = 0
      for tap in taps { sum += values[plane + tap.input] }
      result[output] = IntegerArithmetic.average(sum, counts[position], from, to)
    }
    return [Tensor(shape, result, quantization: to)]
  }
}

extension IntegerArithmetic {
  /// `Q25`: the mean of `count` centred integers that add up to `sum`.
  static func average(
    _ sum: Int64, _ count: Int, _ from: QuantizationParameters, _ to: QuantizationParameters
  ) -> Int8 {
    let multiplier = count == 0 ? 0 : (from.scale / to.scale) / Float(count)
    return clampToInt8(Float(sum) * multiplier, zeroPoint: to.zeroPoint)
  }
}
