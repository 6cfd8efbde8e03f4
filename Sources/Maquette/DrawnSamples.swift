import ModelBundle
import TensorCore

/// A few of many samples, the same whatever their order: those with the least digests.
struct DrawnSamples {
  private let most: Int
  private var drawn: [(digest: String, inputs: [Tensor])] = []

  init(most: Int) { self.most = most }

  mutating func offer(_ samples: [[Tensor]]) {
    guard most > 0 else { return }
    let digests = concurrently(samples.count) { index in
      samples[index].map { Digest(of: $0).description }.joined()
    }
    for (digest, inputs) in zip(digests, samples) {
      let place = drawn.firstIndex { $0.digest > digest } ?? drawn.count
      guard place < most else { continue }
      drawn.insert((digest, inputs), at: place)
      if drawn.count > most { drawn.removeLast() }
    }
  }

  /// A tensor for each input, in order.
  var samples: [[Tensor]] { drawn.map(\.inputs) }
}
