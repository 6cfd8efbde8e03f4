import ModelIR
import ModelOperators
import ModelRuntime
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

  /// What a graph is given and what it makes of that, in the order of its ports.
  package struct Sample: Sendable {
    let inputs: [Tensor]
    let outputs: [Tensor]

    package init(inputs: [Tensor], outputs: [Tensor]) {
      (self.inputs, self.outputs) = (inputs, outputs)
    }
  }

  let layers: [Layer]

  /// - Parameters:
  ///   - graph: the float graph, as ``Quantizer/prepared(_:)`` gives it.
  ///   - integer: its integer form, the weights as fine as they can be.
  package init(
    _ graph: Graph, integer: Graph, samples: [Sample], threads: Int = 1
  ) throws(ModelError) {
    let noise = try Self.noise(of: integer, samples, threads: threads)
    var probe = try WeightProbe(graph, threads: threads)
    var layers = probe.weights.map { Layer($0.layer, $0.tensor, axis: $0.axis) }
    for (number, sample) in samples.enumerated() {
      guard let own = try probe.squares(sample, number: number, noise: noise[number]) else {
        layers = []
        break
      }
      for index in layers.indices { layers[index].add(own[index], samples: number + 1) }
    }
    self.layers = samples.isEmpty ? [] : layers
  }

  /// The power of the noise that each output of `integer` has in each of `samples`.
  private static func noise(
    of integer: Graph, _ samples: [Sample], threads: Int
  ) throws(ModelError) -> [[Double]] {
    var runner = ModelRunner(
      integer, options: PlanOptions(profile: .exact, threads: threads))
    return try samples.map { (sample) throws(ModelError) in
      zip(sample.outputs, try runner.run(sample.inputs)).map { $0.noise(of: $1) }
    }
  }
}

extension Tensor {
  /// The sum of the squares of what `other` is off, at least 2⁻¹⁶ of that of the elements, as eight bits would have it: less is
  /// nothing that int8 promises.
  fileprivate func noise(of other: Tensor) -> Double {
    withFloats { own in
      other.withFloats { other in
        var (signal, noise) = (0.0, 0.0)
        for (x, y) in zip(own, other) {
          let difference = Double(x) - Double(y)
          noise += difference * difference
          signal += Double(x) * Double(x)
        }
        return max(noise, signal * 0x1p-16)
      }
    }
  }
}

extension WeightSensitivity.Layer {
  fileprivate init(_ name: String, _ weight: Tensor, axis: Int) {
    let values = weight.floats()
    let channels = weight.shape[axis]
    let count = weight.count / channels
    self.name = name
    self.count = count
    finest = weight.shape.greatestMagnitudes(of: values, along: axis).map { Double($0) / 127 }
    magnitudes = weight.shape.sums(ofSquares: values, along: axis)
      .map { ($0 / Double(count)).squareRoot() }
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
