import ModelIR
import ModelOperators
import TensorCore

/// By how much noise in the weights of layers adds to the noise that a graph's integer form has, by gradients (`Q57`).
///
/// Nothing is known of a layer from which a way to an output leads through an operator without a gradient.
package struct WeightSensitivity: Sendable {
  /// What is known of the channels of a layer's weights.
  struct Layer: Sendable {
    /// Of the node.
    let name: String
    /// Weights in a channel.
    let count: Int
    /// The finest steps that eight bits give.
    let finest: [Double]
    /// The roots of the mean squares of the weights.
    let magnitudes: [Double]
    /// Noise of power 1 in every weight of a channel makes the noise of the outputs greater by this share, the mean over
    /// samples.
    fileprivate(set) var shares: [Double]
  }

  let layers: [Layer]

  /// - Parameters:
  ///   - graph: the float graph, as ``Quantizer/prepared(_:)`` gives it.
  ///   - integer: its integer form, the weights as fine as they can be.
  ///   - samples: each a tensor for each graph input, in order.
  ///   - threads: samples that run at a time.
  package init(
    _ graph: Graph, integer: Graph, samples: [[Tensor]], threads: Int = 1
  ) throws(ModelError) {
    let probe = try WeightProbe(graph, integer: integer)
    let workers = min(threads, samples.count)
    let found = try concurrently(workers) { (worker) throws(ModelError) in
      try probe.squares(
        stride(from: worker, to: samples.count, by: workers).map { samples[$0] })
    }
    guard !found.isEmpty, !probe.weights.isEmpty, found.allSatisfy({ $0 != nil }) else {
      layers = []
      return
    }
    var layers = probe.weights.map { Layer($0.layer, $0.tensor, axis: $0.axis) }
    for number in samples.indices {
      guard let own = found[number % workers]?[number / workers] else { continue }
      for index in layers.indices { layers[index].add(own[index], samples: number + 1) }
    }
    self.layers = layers
  }
}

extension WeightSensitivity.Layer {
  fileprivate init(_ name: String, _ weight: Tensor, axis: Int) {
    let values = weight.floats()
    let channels = weight.shape[axis]
    let squares = weight.shape.sums(ofSquares: values, along: axis)
    var greatest = [Float](repeating: 0, count: channels)
    let inner = weight.shape.count(axis + 1..<weight.shape.rank)
    for (index, value) in values.enumerated() {
      let channel = index / inner % channels
      greatest[channel] = max(greatest[channel], abs(value))
    }
    self.name = name
    count = weight.count / channels
    finest = greatest.map { Double($0) / 127 }
    magnitudes = squares.map { ($0 / Double(weight.count / channels)).squareRoot() }
    shares = [Double](repeating: 0, count: channels)
  }

  /// Adds a sample to the mean. Half of what a channel has is that of the layer, since few samples say little of one channel.
  fileprivate mutating func add(_ squares: [Double], samples: Int) {
    let mean = squares.reduce(0, +) / Double(squares.count)
    for channel in shares.indices {
      let own = (squares[channel] + mean) / 2
      shares[channel] += (own - shares[channel]) / Double(samples)
    }
  }
}

extension Shape {
  /// For each index along `axis`, the sum of the squares of the elements there.
  func sums(ofSquares values: [Float], along axis: Int) -> [Double] {
    let inner = count(axis + 1..<rank)
    var sums = [Double](repeating: 0, count: self[axis])
    for (index, value) in values.enumerated() {
      sums[index / inner % self[axis]] += Double(value) * Double(value)
    }
    return sums
  }
}
