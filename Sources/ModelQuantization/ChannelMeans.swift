import ModelIR
import ModelKernels
import ModelOperators
import TensorCore

/// Means of each channel of what a layer with weights reads, over all samples.
///
/// Values are taken to the nearest multiple of 2⁻²⁴ and summed as integers, so that neither the order of the samples
/// nor their batching matters. What is not finite, or beyond ±2²⁰, is left out.
struct ChannelMeans: Sendable {
  var sums: [Int128] = []
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
      counts = [Int](repeating: 0, count: channels)
    }
    guard sums.count == channels else { return }
    let inner = tensor.shape.count(axis + 1..<tensor.shape.rank)
    tensor.withElements(of: Float.self) { values in
      KernelTier.best.addChannelSums(
        values, channels: channels, inner: inner, sums: &sums, counts: &counts)
    }
  }

  /// The mean of each channel; nil where nothing was observed.
  var means: [Float]? {
    guard !sums.isEmpty, counts.allSatisfy({ $0 > 0 }) else { return nil }
    return zip(sums, counts).map { Float(Double($0) / Double($1) * 0x1p-24) }
  }

  /// The axis of channels of operand 0 of `op`, whose rank is `rank`.
  static func axis(of op: any WeightedOperator, rank: Int) -> Int {
    op is Linear ? rank - 1 : 1
  }
}
