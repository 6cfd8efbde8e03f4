import ModelIR
import ModelKernels
import TensorCore

/// An operator with a kernel for quantized operands or outputs. Without one, its integer reference runs.
package protocol IntegerPlannedOperator: IntegerOperator {
  /// A kernel for this request, which ``IntegerOperator/checkInteger(_:_:)`` accepted and whose answer
  /// equals ``IntegerOperator/integerReference(_:_:)`` to the last bit, or nil where that must do.
  func integerKernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel?

  /// True where the kernel reads operand 0 channels-last, so that whoever makes it may as well write it
  /// so.
  static var integersPreferChannelsLast: Bool { get }
}

extension IntegerPlannedOperator {
  package static var integersPreferChannelsLast: Bool { false }
}

extension KernelRequest {
  /// True where an operand or an output is stored as quantized integers.
  package var touchesIntegers: Bool {
    outputs.contains { $0.quantization != nil }
      || operands.values.contains { $0?.fact.type.quantization != nil }
  }

  /// The operands' facts.
  func facts() throws(ModelError) -> Operands<Fact> { try operands.map { $0.fact } }

  /// The concrete shape of output 0.
  func outputShape() throws(ModelError) -> Shape {
    guard let shape = outputs[0].shape else {
      throw ModelError(.unknownShape, "the output's shape")
    }
    return shape
  }

  /// The layout in which operand 0 arrives, for kernels that treat every element alike. Tensors below
  /// rank 3 have one layout only.
  func layoutOfFirst() throws(ModelError) -> Layout {
    let first = try operands.required(0)
    return first.shape.rank >= 3 ? first.layout : .rowMajor
  }
}

/// How an image (N, C, spatial…) lies in memory channels-last, with its spatial axes as the last ones
/// of three.
struct ChannelsLastImage {
  let batch: Int
  let channels: Int
  let size: Triple

  /// Nil where there are more than three spatial axes, or none.
  init?(_ shape: Shape) {
    guard (3...5).contains(shape.rank) else { return nil }
    batch = shape[0]
    channels = shape[1]
    size = Triple(Array(shape.dimensions.dropFirst(2)))
  }

  /// Elements between neighbouring positions.
  var stride: Triple { KernelWindow.denseStride(size, pitch: channels) }
  /// Elements of one image of the batch.
  var count: Int { size.product * channels }
}

extension IntegerArithmetic {
  /// The end of a kernel whose output has these parameters.
  static func clamp(_ parameters: QuantizationParameters) -> IntegerClamp {
    IntegerClamp(zeroPoint: parameters.zeroPoint)
  }
}

extension ThreadPool {
  /// Calls `body` with ranges that cover 0 ..< count, in parallel where there is enough for each.
  func share(_ count: Int, least: Int, _ body: (Range<Int>) -> Void) {
    let pieces = threads == 1 ? 1 : max(1, min(4 * threads, count / max(least, 1)))
    run(tasks: pieces) { piece in
      body(count * piece / pieces..<count * (piece + 1) / pieces)
    }
  }

  /// Calls `body` with neighbouring positions of one image at a time, which cover all of all images, in parallel where
  /// there is enough for each.
  package func share(
    images: Int, positions: Int, channels: Int,
    _ body: (_ image: Int, _ positions: Range<Int>) -> Void
  ) {
    share(images * positions, least: ThreadPool.elementwiseLeast / max(channels, 1)) { part in
      var next = part.lowerBound
      while next < part.upperBound {
        let (image, first) = next.quotientAndRemainder(dividingBy: positions)
        let count = min(part.upperBound - next, positions - first)
        body(image, first..<first + count)
        next += count
      }
    }
  }

  /// Elements that are worth a task of their own in an elementwise kernel.
  static let elementwiseLeast = 16_384
}
