import ModelIR
import ModelKernels
import ModelOperators
import TensorCore

/// Means of each channel of what a layer with weights reads, over all samples, and how far the values are from them.
///
/// Values are taken to the nearest multiple of 2⁻²⁴ and summed as integers, so that neither the order of the samples
/// nor their batching matters; so are the squares of each channel of an image, to 2⁻²⁴. What is not finite, or beyond ±2²⁰, is left out.
struct ChannelMeans: Sendable {
  var sums: [Int128] = []
  var squares: [Int128] = []
  var counts: [Int] = []
  /// The least of the shapes that were observed, without the batch.
  var shape: [Int]?

  /// Takes in a tensor whose channels are along `axis`.
  mutating func observe(_ tensor: Tensor, axis: Int) {
    guard tensor.element == .float32, axis < tensor.shape.rank, axis > 0 else { return }
    let channels = tensor.shape[axis]
    let own = Array(tensor.shape.dimensions.dropFirst())
    if let known = shape, known.count != own.count { return }
    if shape.map({ own.lexicographicallyPrecedes($0) }) ?? true { shape = own }
    if sums.isEmpty {
      sums = [Int128](repeating: 0, count: channels)
      squares = sums
      counts = [Int](repeating: 0, count: channels)
    }
    guard sums.count == channels else { return }
    let inner = tensor.shape.count(axis + 1..<tensor.shape.rank)
    tensor.withElements(of: Float.self) { values in
      KernelTier.best.addChannelMoments(
        values, channels: channels, inner: inner, sums: &sums, squares: &squares, counts: &counts)
    }
  }

  /// The mean of each channel; nil where nothing was observed.
  var means: [Float]? {
    guard !sums.isEmpty, counts.allSatisfy({ $0 > 0 }) else { return nil }
    return zip(sums, counts).map { Float(Double($0) / Double($1) * 0x1p-24) }
  }

  /// The mean square distance of a value from the mean of its channel; nil where nothing was observed.
  var variance: Double? {
    guard !sums.isEmpty, counts.allSatisfy({ $0 > 0 }) else { return nil }
    var total = 0.0
    for (index, count) in counts.enumerated() {
      let mean = Double(sums[index]) / Double(count) * 0x1p-24
      total += max(Double(squares[index]) / Double(count) * 0x1p-24 - mean * mean, 0)
    }
    return total / Double(counts.count)
  }

  /// The axis of channels of operand 0 of `op`, whose rank is `rank`.
  static func axis(of op: any WeightedOperator, rank: Int) -> Int {
    op is Linear ? rank - 1 : 1
  }
}
