import CKernels

/// What happens to the int32 sums of a kernel until they are stored (`Q15`–`Q20`).
package struct KernelEpilogue: Sendable {
  /// The function applied to the scaled sum (`Q17`).
  package enum Activation: Sendable {
    case none
    case relu
    /// t < 0 ? t · slope[c] : t, with a slope for each channel.
    case leaky([Float])
    /// A function of real numbers with its two parameters.
    case function(UnaryFunction, Float = 0, Float = 0)
  }

  /// A tensor added to the scaled sum (`Q16`).
  package enum Residual: Sendable {
    case int8(zeroPoint: Int32, multiplier: Float)
    case float32
  }

  package enum Output: Sendable {
    /// The result is divided by `scale`, which is 1 where the multipliers have it.
    case int8(IntegerClamp, scale: Float)
    case float32
    /// Float32, and these integers of it beside.
    case both(IntegerClamp, scale: Float)

    /// How integers are made, where they are.
    package var clamp: IntegerClamp? {
      switch self {
      case .int8(let clamp, _), .both(let clamp, _): clamp
      case .float32: nil
      }
    }
  }

  /// m[c], for each output channel.
  package var multipliers: [Float]
  package var activation: Activation
  package var residual: Residual?
  package var output: Output

  package init(
    multipliers: [Float], activation: Activation = .none, residual: Residual? = nil, output: Output
  ) {
    self.multipliers = multipliers
    self.activation = activation
    self.residual = residual
    self.output = output
  }

  /// Bytes of one output element.
  package var outputByteCount: Int { if case .int8 = output { 1 } else { 4 } }
  /// Bytes of one residual element; 0 without one.
  package var residualByteCount: Int {
    switch residual {
    case .int8: 1
    case .float32: 4
    case nil: 0
    }
  }
}

/// An epilogue with its arrays at fixed addresses.
struct PreparedEpilogue: Sendable {
  private let epilogue: KernelEpilogue
  private let multipliers: KernelMemory
  private let slopes: KernelMemory?
  private let entries: KernelMemory?

  init(_ epilogue: KernelEpilogue) {
    self.epilogue = epilogue
    multipliers = KernelMemory(epilogue.multipliers)
    if case .leaky(let values) = epilogue.activation {
      slopes = KernelMemory(values)
    } else {
      slopes = nil
    }
    entries = epilogue.output.clamp?.table.map { KernelMemory($0) }
  }

  /// For channels from `channel` on, with the residual and the integers of both outputs at `residual` and `integers` (already at that
  /// channel).
  func code(
    channel: Int, residual: UnsafeRawPointer?, integers: UnsafeMutablePointer<Int8>? = nil
  ) -> ck_epilogue {
    var result = ck_epilogue(
      multiplier: multipliers.elements(of: Float.self) + channel,
      slope: slopes.map { $0.elements(of: Float.self) + channel },
      residual: nil, residual_type: .int8, residual_multiplier: 0, residual_zero: 0,
      activation: .none, function: .abs, p0: 0, p1: 0, inverse_scale: 1, output_type: .float32,
      integers: nil, clamp: ck_clamp(zero: 0, low: -128, high: 127, table: nil))
    switch epilogue.activation {
    case .none: break
    case .relu: result.activation = .relu
    case .leaky: result.activation = .leaky
    case .function(let function, let p0, let p1):
      result.activation = .function
      result.function = function.code
      result.p0 = p0
      result.p1 = p1
    }
    switch epilogue.residual {
    case .int8(let zeroPoint, let multiplier):
      result.residual = residual
      result.residual_zero = zeroPoint
      result.residual_multiplier = multiplier
    case .float32:
      result.residual = residual
      result.residual_type = .float32
    case nil: break
    }
    switch epilogue.output {
    case .float32: return result
    case .int8(_, let scale):
      result.output_type = .int8
      result.inverse_scale = 1 / scale
    case .both(_, let scale):
      result.integers = integers
      result.inverse_scale = 1 / scale
    }
    if let clamp = epilogue.output.clamp {
      result.clamp = ck_clamp(
        zero: clamp.zeroPoint, low: clamp.low, high: clamp.high,
        table: entries.map { $0.elements(of: Int8.self) })
    }
    return result
  }
}
