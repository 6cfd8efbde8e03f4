import ModelIR
import TensorCore

/// `Q15`–`Q20`: what an accumulator goes through before it is stored.
package struct IntegerEpilogue: Sendable {
  package enum Kind: Sendable {
    case none, relu, leaky
    /// A function of real numbers (`Q37`–`Q40`).
    case function(Epilogue)
  }

  /// A residual's place in the formula.
  package struct Residual: Sendable {
    /// Nil for a float32 residual.
    package let zeroPoint: Int32?
    package let multiplier: Float
  }

  package let kind: Kind
  /// m[c], one for each output channel: those of float32 output where there is a function.
  package let multipliers: [Float]
  /// One for each output channel where ``kind`` is leaky.
  package let slopes: [Float]
  package let residual: Residual?
  /// Nil for float32 output.
  package private(set) var zeroPoint: Int32?
  /// sy of int8 output after a function or after what would be float32 output, 1 elsewhere.
  package private(set) var scale: Float
  /// Float32 output is stored as well as integers of it.
  package private(set) var keepsReal = false
  package let low: Int32
  package let high: Int32

  /// - Throws: `not-quantizable` for an activation or residual that has no integer form.
  package init(
    _ epilogue: Epilogue, input: QuantizationParameters, weightScales: [Float],
    residual: Fact?, slope: Fact?, output: TensorType
  ) throws(ModelError) {
    let real = weightScales.map { input.scale * $0 }
    let parameters =
      output.quantization == nil ? nil : try IntegerArithmetic.activation(output, "output")
    let isFunction =
      switch epilogue.activation {
      case .none, .relu, .leakyRelu, .prelu: false
      case .clip: parameters == nil
      case .sigmoid, .tanh, .gelu, .silu, .hardSwish: true
      }
    let divisor = isFunction ? nil : parameters?.scale
    multipliers = divisor.map { divisor in real.map { $0 / divisor } } ?? real
    zeroPoint = parameters?.zeroPoint
    scale = isFunction ? parameters?.scale ?? 1 : 1
    var limits: (low: Int32, high: Int32) = (-128, 127)
    switch epilogue.activation {
    case .none:
      kind = .none
      slopes = []
    case .relu:
      kind = .relu
      slopes = []
    case .leakyRelu:
      kind = .leaky
      slopes = [Float](repeating: epilogue.alpha, count: weightScales.count)
    case .prelu:
      guard let given = slope?.constant, given.element == .float32 else {
        throw ModelError(.notQuantizable, "Q17: the slope is not a float32 constant")
      }
      let values = given.floats()
      kind = .leaky
      slopes = weightScales.indices.map { values[values.count == 1 ? 0 : $0] }
    case .clip where !isFunction:
      guard let parameters else { throw ModelError(.notQuantizable, "Q18: the output's limits") }
      kind = .none
      slopes = []
      limits.low = Int32(IntegerArithmetic.quantize(epilogue.lower, parameters))
      limits.high = Int32(IntegerArithmetic.quantize(epilogue.upper, parameters))
    default:
      kind = .function(epilogue)
      slopes = []
    }
    (low, high) = limits
    if let residual {
      if residual.type.quantization != nil {
        let given = try IntegerArithmetic.activation(residual.type, "residual")
        self.residual = Residual(
          zeroPoint: given.zeroPoint,
          multiplier: divisor.map { given.scale / $0 } ?? given.scale)
      } else if parameters == nil {
        self.residual = Residual(zeroPoint: nil, multiplier: 1)
      } else {
        throw ModelError(.notQuantizable, "Q16: a float residual of an int8 output")
      }
    } else {
      self.residual = nil
    }
  }

  /// Makes integers of float32 output, as Quantize does (`Q7`), in its place or beside it.
  mutating func store(as stored: KernelRequest.Stored) {
    zeroPoint = stored.parameters.zeroPoint
    scale = stored.parameters.scale
    keepsReal = stored.keepsReal
  }

  /// The value in output steps (int8) or in real units (float32); `residual` is the stored integer, or
  /// the float itself.
  package func scaled(_ accumulator: Int32, channel: Int, residual stored: Float?) -> Float {
    var t = Float(accumulator) * multipliers[channel]
    if let residual, let stored {
      if let zero = residual.zeroPoint {
        t = t + (stored - Float(zero)) * residual.multiplier
      } else {
        t = t + stored
      }
    }
    switch kind {
    case .none: break
    case .relu: t = t < 0 ? 0 : t
    case .leaky: t = t < 0 ? t * slopes[channel] : t
    case .function(let epilogue):
      t = FixedFunctions.apply(epilogue, t)
    }
    return zeroPoint == nil ? t : t * (1 / scale)
  }

  /// The stored output from all accumulators of `shape`, whose channels are along `axis`.
  package func finish(
    _ accumulators: [Int64], _ type: TensorType, axis: Int, residual: Tensor?
  ) throws(ModelError) -> Tensor {
    guard let shape = type.shape else { throw ModelError(.unknownShape, "the output's shape") }
    let inner = shape.count(axis + 1..<shape.rank)
    let stored = residual?.floats()
    let values = accumulators.indices.map { index in
      scaled(
        Int32(truncatingIfNeeded: accumulators[index]), channel: index / inner % shape[axis],
        residual: stored?[index])
    }
    guard let zeroPoint else { return Tensor(shape, values) }
    return Tensor(
      shape,
      values.map {
        IntegerArithmetic.clampToInt8($0, zeroPoint: zeroPoint, low: low, high: high)
      }, quantization: type.quantization)
  }
}
