import ModelBundle
import TensorCore

/// A few of many samples, the same whatever their order: those with the least digests.
struct DrawnSamples {
  private let most: Int
  private var drawn: [(digest: String, inputs: [Tensor])] = []

  init(most: Int) { self.most = most }

  mutating func offer(_ inputs: [Tensor]) {
    guard most > 0 else { return }
    let digest = inputs.map { Digest(of: $0).description }.joined()
    let place = drawn.firstIndex { $0.digest > digest } ?? drawn.count
    guard place < most else { return }
    drawn.insert((digest, inputs), at: place)
    if drawn.count > most { drawn.removeLast() }
  }

  /// A tensor for each input, in order.
  var samples: [[Tensor]] { drawn.map(\.inputs) }
}
