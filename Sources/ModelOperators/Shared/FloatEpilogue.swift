import ModelIR
import ModelKernels
import TensorCore

extension KernelRequest {
  /// True where every operand and output is plain float32.
  var isFloat32: Bool {
    outputs.allSatisfy { $0.element == .float32 && $0.quantization == nil }
      && operands.values.allSatisfy {
        $0.map { $0.fact.element == .float32 && $0.fact.type.quantization == nil } ?? true
      }
  }
}

/// An ``Epilogue`` in float32 over a block of rows.
struct FloatEpilogue: Sendable {
  private let epilogue: Epilogue
  private let tier: KernelTier
  private let first: Int
  private let hasBias: Bool
  private let hasResidual: Bool
  private let slopes: Int
  /// The one slope of all channels, where it is constant.
  private let sharedSlope: Float?

  /// - Parameter first: the operand that is the bias; residual and slope follow it.
  init(_ epilogue: Epilogue, _ request: KernelRequest, from first: Int, hasBias: Bool = true) {
    self.epilogue = epilogue
    self.first = first
    tier = request.tier
    self.hasBias = hasBias && request.operands.optional(first) != nil
    hasResidual = request.operands.optional(first + 1) != nil
    let slope = request.operands.optional(first + 2)
    slopes = slope?.shape.count ?? 0
    sharedSlope = slopes == 1 ? slope?.fact.constant?.floats().first : nil
  }

  var isEmpty: Bool { !hasBias && !hasResidual && epilogue.activation == .none }

  /// Finishes rows × columns sums at `offset` of output 0, whose rows are `pitch` apart. Row i belongs to
  /// channel `channel` + i, or column j to channel `channel` + j where `alongColumns`.
  func finish(
    _ frame: KernelFrame, offset: Int, rows: Int, columns: Int, pitch: Int, channel: Int,
    alongColumns: Bool = false
  ) {
    guard !isEmpty, rows > 0, columns > 0 else { return }
    let y = frame.output(0, as: Float.self) + offset
    let own = RowOperand(y, row: pitch)
    let (row, column) = alongColumns ? (0, 1) : (1, 0)
    if hasBias {
      tier.combine(
        .add, rows: rows, columns: columns, own,
        RowOperand(frame.input(first, as: Float.self) + channel, row: row, column: column),
        to: y, row: pitch)
    }
    if hasResidual {
      tier.combine(
        .add, rows: rows, columns: columns, own,
        RowOperand(frame.input(first + 1, as: Float.self) + offset, row: pitch), to: y, row: pitch)
    }
    if epilogue.activation == .prelu {
      let slope = frame.input(first + 2, as: Float.self)
      let operand =
        slopes == 1
        ? RowOperand(slope, row: 0, column: 0)
        : RowOperand(slope + channel, row: row, column: column)
      tier.combine(.prelu, rows: rows, columns: columns, own, operand, to: y, row: pitch)
    } else if let function = epilogue.function {
      let (lower, upper) = epilogue.parameters
      if columns == pitch {
        tier.apply(function, count: rows * columns, y, to: y, p0: lower, p1: upper)
      } else {
        for i in 0..<rows {
          tier.apply(
            function, count: columns, y + i * pitch, to: y + i * pitch, p0: lower, p1: upper)
        }
      }
    }
  }

  /// The same as a ``FloatConvolution`` of `channels` output channels does it, or nil where it cannot.
  func activation(channels: Int) -> FloatConvolution.Activation? {
    switch epilogue.activation {
    case .none: return FloatConvolution.Activation.none
    case .relu: return .relu
    case .prelu:
      if let sharedSlope { return .function(.leaky, sharedSlope) }
      return slopes == channels ? .slopes : nil
    default:
      return epilogue.function.map {
        .function($0, epilogue.parameters.0, epilogue.parameters.1)
      }
    }
  }

  /// The bias, the residual and the slopes of a run.
  func operands(
    _ frame: KernelFrame
  ) -> (
    bias: UnsafePointer<Float>?, residual: UnsafePointer<Float>?, slopes: UnsafePointer<Float>?
  ) {
    (
      hasBias ? frame.input(first, as: Float.self) : nil,
      hasResidual ? frame.input(first + 1, as: Float.self) : nil,
      slopes > 0 && sharedSlope == nil ? frame.input(first + 2, as: Float.self) : nil
    )
  }
}

extension Epilogue {
  /// The kernels' function of the activation; nil where it has none.
  var function: UnaryFunction? {
    switch activation {
    case .none, .prelu: nil
    case .relu: .relu
    case .leakyRelu: .leaky
    case .clip: .clip
    case .sigmoid: .sigmoid
    case .tanh: .tanh
    case .gelu: .gelu
    case .silu: .silu
    case .hardSwish: .hardSwish
    }
  }

  /// The parameters of ``function``.
  var parameters: (Float, Float) {
    activation == .clip ? (lower, upper) : (alpha, 0)
  }
}
