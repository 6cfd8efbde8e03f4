import ModelIR
import ModelOperators
import TensorCore

/// Float weights and bias to integers (`Q6`, `Q9`, `Q10`).
enum WeightQuantization {
  /// Int8 weights with one scale for each index along `axis`: the greatest magnitude is 127 steps,
  /// and no scale is so small that a bias would leave 30 bits.
  static func weights(
    _ tensor: Tensor, axis: Int, bias: Tensor?, input: QuantizationParameters
  ) -> Tensor {
    let shape = tensor.shape
    let channels = shape[axis]
    let inner = shape.count(axis + 1..<shape.rank)
    let outer = shape.count(0..<axis)
    let values = tensor.floats()
    let biases = bias?.floats()
    var scales = [Float](repeating: 1, count: channels)
    for channel in 0..<channels {
      var magnitude: Float = 0
      for block in 0..<outer {
        let start = (block * channels + channel) * inner
        for index in start..<start + inner { magnitude = max(magnitude, abs(values[index])) }
      }
      var scale = Double(magnitude) / 127
      if let biases {
        for repeated in stride(from: channel, to: biases.count, by: channels) {
          scale = max(scale, abs(Double(biases[repeated])) / (Double(input.scale) * 0x1p30))
        }
      }
      if scale > 0 { scales[channel] = Float(max(scale, 0x1p-100)) }
    }
    return Tensor(
      .int8, shape, quantization: QuantizationParameters(perChannel: scales, axis: axis),
      writing: { bytes in
        let target = bytes.assumingMemoryBound(to: Int8.self)
        for block in 0..<outer {
          for channel in 0..<channels {
            let scale = Double(scales[channel])
            let start = (block * channels + channel) * inner
            for index in start..<start + inner {
              let steps = (Double(values[index]) / scale).rounded(.toNearestOrEven)
              target[index] = Int8(min(max(steps, -127), 127))
            }
          }
        }
      })
  }

  /// Int32 bias with the scales sx·sw.
  static func bias(
    _ tensor: Tensor, weightScales: [Float], input: QuantizationParameters
  ) throws(ModelError) -> Tensor {
    let values = tensor.floats()
    let scales = values.indices.map { input.scale * weightScales[$0 % weightScales.count] }
    var steps: [Int32] = []
    for (channel, value) in values.enumerated() {
      let exact = Double(input.scale) * Double(weightScales[channel % weightScales.count])
      let rounded = (Double(value) / exact).rounded(.toNearestOrEven)
      guard abs(rounded) < 0x1p31 else {
        throw ModelError(.notQuantizable, "Q10: the bias of channel \(channel) leaves 32 bits")
      }
      steps.append(Int32(rounded))
    }
    return Tensor(
      tensor.shape, steps, quantization: QuantizationParameters(perChannel: scales, axis: 0))
  }
}
