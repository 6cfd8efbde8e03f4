import ModelIR
import ModelOperators
import TensorCore

/// Float weights and bias to integers (`Q6`, `Q9`, `Q10`).
enum WeightQuantization {
  /// Shares of the greatest magnitude that are tried as the greatest representable one.
  static let shares: [Float] = [1, 0.96, 0.92, 0.88, 0.84, 0.8, 0.76, 0.72]

  /// Int8 weights with one scale for each index along `axis`. No scale is so small that a bias would
  /// leave 30 bits.
  ///
  /// - Parameters:
  ///   - coarsest: for each channel, a step that weights need not be finer than (`Q57`).
  ///   - grid: where weights have fewer bits than eight (`Q68`).
  ///   - adaptive: where the weights of a channel make up for each other (`Q70`).
  static func weights(
    _ tensor: Tensor, axis: Int, bias: Tensor?, input: QuantizationParameters,
    rounding: WeightRounding, coarsest: [Double]? = nil, grid: WeightGrid? = nil,
    adaptive: AdaptiveRounding? = nil
  ) -> Tensor {
    let shape = tensor.shape
    let channels = shape[axis]
    let inner = shape.count(axis + 1..<shape.rank)
    let outer = shape.count(0..<axis)
    let values = tensor.floats()
    let biases = bias?.floats()
    let pieces = min(channels, 64)
    let rows = concurrently(pieces) { piece in
      var row: [Float] = []
      return (channels * piece / pieces..<channels * (piece + 1) / pieces).map {
        channel -> (scale: Float, integers: [Int8]) in
        row.removeAll(keepingCapacity: true)
        for block in 0..<outer {
          let start = (block * channels + channel) * inner
          row += values[start..<start + inner]
        }
        var scale = scale(
          of: row, searching: rounding != .nearest && grid == nil, greatest: grid?.greatest ?? 127)
        if let coarsest, grid == nil { scale = max(scale, coarsest[channel]) }
        if let biases {
          for repeated in stride(from: channel, to: biases.count, by: channels) {
            scale = max(scale, abs(Double(biases[repeated])) / (Double(input.scale) * 0x1p30))
          }
        }
        let stored = scale > 0 ? shortened(Float(max(scale, 0x1p-100))) : 1
        let step = Double(stored)
        if let adaptive { return (stored, adaptive.integers(row, scale: step, grid)) }
        return (stored, grid?.integers(row, scale: step) ?? integers(row, scale: stored))
      }
    }.flatMap { $0 }
    let scales = rows.map(\.scale)
    return Tensor(
      .int8, shape, quantization: QuantizationParameters(perChannel: scales, axis: axis),
      writing: { bytes in
        for (channel, row) in rows.enumerated() {
          row.integers.withUnsafeBytes { row in
            for block in 0..<outer {
              let start = (block * channels + channel) * inner
              UnsafeMutableRawBufferPointer(rebasing: bytes[start..<start + inner])
                .copyMemory(
                  from: UnsafeRawBufferPointer(rebasing: row[block * inner..<(block + 1) * inner]))
            }
          }
        }
      })
  }

  /// Int16 weights with one scale for each index along `axis`, to the nearest (`Q61`).
  static func wideWeights(_ tensor: Tensor, axis: Int) -> Tensor {
    let values = tensor.floats()
    let scales = tensor.shape.greatestMagnitudes(of: values, along: axis)
      .map { $0 > 0 ? shortened(max($0 / 32_767, 0x1p-100)) : 1 }
    var steps = [Int16](repeating: 0, count: values.count)
    tensor.shape.forEachRow(along: axis) { channel, row in
      for index in row {
        let exact = Double(values[index]) / Double(scales[channel])
        steps[index] = Int16(min(max(exact.rounded(.toNearestOrEven), -32_767), 32_767))
      }
    }
    return Tensor(
      tensor.shape, steps, quantization: QuantizationParameters(perChannel: scales, axis: axis))
  }

  /// The least number of eight significant bits that is not below `scale`: its last two bytes take no room in a bundle.
  private static func shortened(_ scale: Float) -> Float {
    Float(bitPattern: (scale.bitPattern + 0xFFFF) & 0xFFFF_0000)
  }

  /// Whole numbers of steps (`Q9`).
  private static func integers(_ row: [Float], scale: Float) -> [Int8] {
    row.map { value in
      let steps = (Double(value) / Double(scale)).rounded(.toNearestOrEven)
      return Int8(min(max(steps, -127), 127))
    }
  }

  /// The scale of one channel (`Q50`), whose greatest magnitude is that many steps.
  private static func scale(of row: [Float], searching: Bool, greatest: Int) -> Double {
    var magnitude: Float = 0
    for value in row { magnitude = max(magnitude, abs(value)) }
    let whole = Double(magnitude) / Double(greatest)
    guard searching, magnitude > 0x1p-90, magnitude < 0x1p90 else { return whole }
    var best = (error: Float.infinity, scale: whole)
    row.withUnsafeBufferPointer { row in
      for share in shares {
        let scale = shortened(Float(whole * Double(share)))
        let error = squaredError(row, scale: scale, within: best.error)
        if error < best.error { best = (error, Double(scale)) }
      }
    }
    return best.scale
  }

  /// Σ (v − w·s)² in units of s², times s²; may stop once it passes `limit`.
  private static func squaredError(
    _ row: UnsafeBufferPointer<Float>, scale: Float, within limit: Float
  ) -> Float {
    let inverse = 1 / scale
    // Adding and taking off 1.5 · 2²³ rounds to the nearest integer, ties to even.
    let shift: Float = 0x1.8p23
    var sum: Float = 0
    for first in stride(from: 0, to: row.count, by: 4096) {
      var lanes = SIMD8<Float>()
      let end = min(first + 4096, row.count)
      var index = first
      while index + 8 <= end {
        var t = SIMD8<Float>()
        for lane in 0..<8 { t[lane] = row[index + lane] }
        t *= inverse
        var steps = (t + shift) - shift
        steps.replace(with: -127, where: steps .< -127)
        steps.replace(with: 127, where: steps .> 127)
        let difference = t - steps
        lanes += difference * difference
        index += 8
      }
      sum += lanes.sum()
      while index < end {
        let t = row[index] * inverse
        let steps = min(max((t + shift) - shift, -127), 127)
        sum += (t - steps) * (t - steps)
        index += 1
      }
      if sum * scale * scale > limit { break }
    }
    return sum * scale * scale
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
