import ModelIR
import TensorCore

/// The scalar formulas of `formats/quantization.md`, written as they stand there.
package enum IntegerArithmetic {
  /// `Q3`: a NaN selects the second operand.
  static func maximum(_ a: Float, _ b: Float) -> Float { a > b ? a : b }
  static func minimum(_ a: Float, _ b: Float) -> Float { a < b ? a : b }

  /// `Q18`: t in output steps to int8, rounded to nearest even and limited to `low...high`.
  package static func clampToInt8(
    _ t: Float, zeroPoint: Int32, low: Int32 = -128, high: Int32 = 127
  ) -> Int8 {
    let limited = minimum(maximum(t, Float(low - zeroPoint)), Float(high - zeroPoint))
    return Int8(truncatingIfNeeded: Int32(limited.rounded(.toNearestOrEven)) + zeroPoint)
  }

  /// `Q7`: a real number to int8.
  package static func quantize(_ x: Float, _ parameters: QuantizationParameters) -> Int8 {
    clampToInt8(x * (1 / parameters.scale), zeroPoint: parameters.zeroPoint)
  }

  /// `Q5`: a scale that arithmetic can use.
  package static func isValid(scale: Float) -> Bool {
    scale >= 0x1p-126 && scale <= 0x1p126
  }

  /// The parameters of an activation: int8, per tensor, with a valid scale and zero point.
  ///
  /// - Throws: `not-quantizable` citing the clause that is broken.
  package static func activation(
    _ type: TensorType, _ what: String
  ) throws(ModelError) -> QuantizationParameters {
    guard type.element == .int8, let parameters = type.quantization, parameters.axis == nil else {
      throw ModelError(.notQuantizable, "Q4: the \(what) is \(type), not a per-tensor int8 tensor")
    }
    guard parameters.scales.count == 1, isValid(scale: parameters.scale) else {
      throw ModelError(.notQuantizable, "Q5: the \(what) has a scale of \(parameters.scales)")
    }
    guard (-128...127).contains(parameters.zeroPoint) else {
      throw ModelError(
        .notQuantizable, "Q4: the \(what) has a zero point of \(parameters.zeroPoint)")
    }
    return parameters
  }

  /// Requires constant int8 with a valid scale for each index of an axis.
  static func expectTable(_ operand: Fact) throws(ModelError) {
    guard operand.constant != nil, operand.type.element == .int8,
      let parameters = operand.type.quantization, let axis = parameters.axis,
      let dimensions = operand.type.dimensions, axis < dimensions.count
    else { throw ModelError(.notQuantizable, "Q69: \(operand.type) is no constant int8 table") }
    guard dimensions[axis].value == parameters.scales.count,
      parameters.scales.allSatisfy({ isValid(scale: $0) })
    else { throw ModelError(.notQuantizable, "Q5: the table has scales of \(parameters.scales)") }
  }

  /// Requires every operand and the output to be int8 activations.
  static func expectActivations(
    _ inputs: Operands<Fact>, _ outputs: [TensorType]
  ) throws(ModelError) {
    for operand in try inputs.all() { _ = try activation(operand.type, "operand") }
    _ = try output(outputs)
  }

  /// The int8 output of an operator whose output must be one.
  static func output(_ outputs: [TensorType]) throws(ModelError) -> QuantizationParameters {
    try activation(outputs[0], "output")
  }
}

/// `Q10`–`Q13`: the integer weights and bias of one operator, checked.
package struct IntegerWeights: Sendable {
  /// One scale for each output channel.
  package let scales: [Float]

  /// - Parameters:
  ///   - axis: the axis of `weight` that counts output channels.
  ///   - channels: output channels in all groups.
  ///   - input: parameters of the activation that the weights meet.
  /// - Throws: `not-quantizable` for weights that are not constant symmetric int8 (`Q6`), whose bias does
  ///   not have the scale sx·sw (`Q10`), or that could overflow (`Q13`).
  package init(
    weight: Fact, bias: Fact?, axis: Int, channels: Int, input: QuantizationParameters
  ) throws(ModelError) {
    guard let tensor = weight.constant, tensor.element == .int8,
      let parameters = tensor.quantization, parameters.axis == axis
    else {
      throw ModelError(
        .notQuantizable,
        "Q6: weights are \(weight.type), not constant int8 per channel on axis \(axis)")
    }
    let extent = tensor.shape[axis]
    guard parameters.scales.count == extent, extent > 0, channels % extent == 0,
      parameters.scales.allSatisfy({ IntegerArithmetic.isValid(scale: $0) })
    else { throw ModelError(.notQuantizable, "Q5: \(extent) channels need as many valid scales") }
    let biases = try IntegerWeights.check(
      bias, scales: parameters.scales, channels: channels, input)
    scales = (0..<channels).map { parameters.scales[$0 % extent] }
    // Few weights cannot overflow whatever they are; only many, or a great bias, need be added up.
    let most = Int64(tensor.count / extent) * 128
    let greatest = biases?.map(abs).max() ?? 0
    guard (128 + abs(Int64(input.zeroPoint))) * most + greatest >= 1 << 31 else { return }
    try tensor.load()
    let sums = IntegerWeights.sums(of: tensor, axis: axis)
    for channel in 0..<channels {
      let index = channel % extent
      let bias = biases?[channel] ?? 0
      // Where groups share a channel's scale, each sums a part of its weights only.
      let folded =
        channels == extent
        ? abs(bias - Int64(input.zeroPoint) * sums.plain[index])
        : abs(bias) + abs(Int64(input.zeroPoint)) * sums.magnitudes[index]
      guard 128 * sums.magnitudes[index] + folded < 1 << 31 else {
        throw ModelError(.notQuantizable, "Q13: channel \(channel) could overflow 32 bits")
      }
    }
  }

  /// For each extent of `axis`: Σ|w| and Σw.
  static func sums(
    of tensor: Tensor, axis: Int
  ) -> (magnitudes: [Int64], plain: [Int64]) {
    let (outer, extent) = (tensor.shape.count(0..<axis), tensor.shape[axis])
    let inner = tensor.shape.count(axis + 1..<tensor.shape.rank)
    // Short rows are summed column by column over the blocks, so that the loops are long.
    let rowLength = inner < 64 ? extent * inner : inner
    let rowsOfBlock = inner < 64 ? 1 : extent
    var magnitudes = [Int64](repeating: 0, count: extent)
    var plain = magnitudes
    tensor.withElements(of: Int8.self) { values in
      var columns = [Int32](repeating: 0, count: inner < 64 ? 2 * rowLength : 0)
      for row in 0..<outer * rowsOfBlock {
        let weights = UnsafeBufferPointer(
          rebasing: values[row * rowLength..<(row + 1) * rowLength])
        if inner >= 64 {
          let (magnitude, sum) = sums(of: weights)
          magnitudes[row % extent] += magnitude
          plain[row % extent] += sum
          continue
        }
        columns.withUnsafeMutableBufferPointer { columns in
          for (column, weight) in weights.enumerated() {
            columns[column] &+= Int32(weight.magnitude)
            columns[rowLength + column] &+= Int32(weight)
          }
        }
        // At most 2²⁰ weights in a column: their sums fit in 32 bits.
        guard row == outer - 1 || row % (1 << 20) == (1 << 20) - 1 else { continue }
        for column in 0..<rowLength {
          magnitudes[column / inner] += Int64(columns[column])
          plain[column / inner] += Int64(columns[rowLength + column])
          columns[column] = 0
          columns[rowLength + column] = 0
        }
      }
    }
    return (magnitudes, plain)
  }

  private static func sums(of weights: UnsafeBufferPointer<Int8>) -> (Int64, Int64) {
    var (magnitudes, plain): (Int64, Int64) = (0, 0)
    for first in stride(from: 0, to: weights.count, by: 1 << 20) {
      // At most 2²⁰ weights: their sums fit in 32 bits.
      var (magnitude, sum): (Int32, Int32) = (0, 0)
      let chunk = weights[first..<min(first + 1 << 20, weights.count)]
      for weight in UnsafeBufferPointer(rebasing: chunk) {
        magnitude &+= Int32(weight.magnitude)
        sum &+= Int32(weight)
      }
      magnitudes += Int64(magnitude)
      plain += Int64(sum)
    }
    return (magnitudes, plain)
  }

  private static func check(
    _ bias: Fact?, scales: [Float], channels: Int, _ input: QuantizationParameters
  ) throws(ModelError) -> [Int64]? {
    guard let bias else { return nil }
    guard let tensor = bias.constant, tensor.element == .int32, tensor.count == channels,
      let parameters = tensor.quantization, parameters.axis == 0,
      parameters.scales.count == channels,
      (0..<channels).allSatisfy({
        parameters.scales[$0] == input.scale * scales[$0 % scales.count]
      })
    else {
      throw ModelError(
        .notQuantizable, "Q10: the bias is \(bias.type), not constant int32 with scale sx·sw")
    }
    return tensor.integers()
  }
}
