import ModelBundle
import ModelQuantization
import TensorCore

/// A few of many samples, the same whatever their order: those with the least digests.
struct DrawnSamples {
  private struct Drawn {
    let digest: String
    let inputs: [Tensor]
    /// What the graph makes of them, where that is known.
    var outputs: [Tensor]?
  }

  private let most: Int
  private var drawn: [Drawn] = []

  init(most: Int) { self.most = most }

  /// - Returns: the places of those of `samples` that may stay, by their digests.
  @discardableResult
  mutating func offer(_ samples: [[Tensor]]) -> [String: Int] {
    guard most > 0 else { return [:] }
    let digests = concurrently(samples.count) { index in
      samples[index].map { Digest(of: $0).description }.joined()
    }
    for (digest, inputs) in zip(digests, samples) {
      let place = drawn.firstIndex { $0.digest > digest } ?? drawn.count
      guard place < most else { continue }
      drawn.insert(Drawn(digest: digest, inputs: inputs), at: place)
      if drawn.count > most { drawn.removeLast() }
    }
    return Dictionary(zip(digests, digests.indices), uniquingKeysWith: { $1 })
      .filter { own in drawn.contains { $0.digest == own.key } }
  }

  /// Takes in what the graph makes of samples, by their digests.
  mutating func learn(_ outputs: [String: [Tensor]]) {
    for index in drawn.indices {
      drawn[index].outputs = outputs[drawn[index].digest] ?? drawn[index].outputs
    }
  }

  /// A tensor for each input, in order.
  var samples: [[Tensor]] { drawn.map(\.inputs) }

  /// The samples with what the graph makes of them; `run` tells of those of which nobody knows.
  func probes(
    _ run: ([[Tensor]]) throws(ModelError) -> [[Tensor]]
  ) throws(ModelError) -> [WeightSensitivity.Sample] {
    var others = try run(drawn.filter { $0.outputs == nil }.map(\.inputs))[...]
    return drawn.map { own in
      WeightSensitivity.Sample(
        inputs: own.inputs, outputs: own.outputs ?? others.removeFirst())
    }
  }
}
