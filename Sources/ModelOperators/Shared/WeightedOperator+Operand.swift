import TensorCore

/// The numbers that the weights of an output channel multiply.
package struct OperandColumns: Sendable {
  /// One for each weight of a channel, in their order.
  package let rows: Int
  /// One for each element of the output that was looked at.
  package let columns: Int
  /// `[rows, columns]`.
  package let values: [Float]
}

extension WeightedOperator {
  /// What the weights of each output channel multiply for at most `most` elements of a channel, evenly taken; nil where that is not
  /// the same for all channels: for transposed convolutions and several groups.
  package func operandColumns(
    _ x: Tensor, weight: Shape, most: Int
  ) throws(ModelError) -> OperandColumns? {
    guard x.element == .float32, x.count > 0, most > 0 else { return nil }
    switch self {
    case is Linear:
      let depth = x.shape[x.shape.rank - 1]
      return OperandColumns(rowsOf: x, depth: depth, most: most)
    case let op as Convolution where op.groups == 1:
      return OperandColumns(
        patchesOf: x, try ConvolutionGeometry(op, input: x.shape, weight: weight), most: most)
    default: return nil
    }
  }
}

extension OperandColumns {
  fileprivate init(rowsOf x: Tensor, depth: Int, most: Int) {
    let taken = OperandColumns.evenly(x.count / depth, most)
    rows = depth
    columns = taken.count
    values = x.withElements(of: Float.self) { values in
      (0..<depth).flatMap { row in taken.map { values[$0 * depth + row] } }
    }
  }

  /// Runs of neighbouring positions, as many in each image.
  fileprivate init(patchesOf x: Tensor, _ geometry: ConvolutionGeometry, most: Int) {
    let patches = PatchMatrix(geometry.window)
    let images = OperandColumns.evenly(geometry.batch, most)
    let share = max(most / images.count, 1)
    let run = min(patches.positions, max(share / 8, 1))
    let starts = OperandColumns.evenly(max(patches.positions / run, 1), max(share / run, 1))
    let positions = starts.flatMap { $0 * run..<($0 + 1) * run }
    rows = geometry.inputChannels * patches.taps
    columns = images.count * positions.count
    let (pitch, imageCount) = (columns, geometry.inputChannels * geometry.window.inputCount)
    values = [Float](unsafeUninitializedCapacity: rows * columns) { buffer, count in
      guard let matrix = buffer.baseAddress else { return }
      x.withElements(of: Float.self) { values in
        guard let first = values.baseAddress else { return }
        patches.gather(
          images.map { first + $0 * imageCount }, channels: geometry.inputChannels,
          channelStride: geometry.window.inputCount, columns: positions, to: matrix, pitch: pitch)
      }
      count = buffer.count
    }
  }

  /// At most `most` of the numbers below `count`.
  private static func evenly(_ count: Int, _ most: Int) -> [Int] {
    count <= most ? Array(0..<count) : (0..<most).map { $0 * count / most }
  }
}
