import ModelAdaptation
import ModelIR
import ModelOperators
import ModelRuntime
import TensorCore

/// By how much noise in the weights of layers adds to the noise that a graph's integer form has, by gradients (`Q57`).
///
/// Nothing is known of a layer from which a way to an output leads through an operator without a gradient.
package struct WeightSensitivity: ~Copyable {
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

  private(set) var layers: [Layer]
  private let weights: [(name: String, tensor: Tensor, axis: Int)]
  private let seeds: [(name: String, output: Int)]
  private let inputs: [String]
  private var samples = 0
  private var float: ModelRunner
  private var integer: ModelRunner
  private var gradients: GradientRunner

  /// - Parameters:
  ///   - graph: the float graph, as ``Quantizer/prepared(_:)`` gives it.
  ///   - integer: its integer form, the weights as fine as they can be.
  package init(_ graph: Graph, integer: Graph, threads: Int) throws(ModelError) {
    let options = PlanOptions(profile: .exact, threads: threads)
    let blind = graph.valuesWithoutGradient
    var ports = graph.inputs.map { (name: $0.name, value: $0.value) }
    inputs = ports.map(\.name)
    // No input of the graph has a name like the new ones.
    let mark = String(repeating: "'", count: 1 + (inputs.map(\.count).max() ?? 0))
    var (layers, weights): ([Layer], [(name: String, tensor: Tensor, axis: Int)]) = ([], [])
    var seen: Set<ValueID> = []
    for node in graph.nodes {
      guard let op = node.op as? any WeightedOperator, !blind.contains(node.outputs[0]),
        let id = node.inputs[1], let weight = graph.constant(id), weight.element == .float32,
        weight.count > 0, seen.insert(id).inserted
      else { continue }
      layers.append(Layer(node.name, weight, axis: op.weightChannelAxis))
      weights.append((mark + node.name, weight, op.weightChannelAxis))
      ports.append((mark + node.name, id))
    }
    let outputs = graph.outputs.filter {
      graph.type($0.value).element == .float32 && !graph.type($0.value).isSequence
    }
    var open = try graph.extracted(from: ports, to: outputs.map { ($0.name, $0.value) })
    var seeds: [(name: String, output: Int)] = []
    var loss: ValueID?
    var sum = ReduceSum()
    sum.keepDimensions = false
    for port in open.outputs {
      let seed = try open.addInput(mark + " " + port.name, open.type(port.value))
      seeds.append(
        (mark + " " + port.name, graph.outputs.firstIndex { $0.name == port.name } ?? 0))
      let product = try open.appendOne(Mul(), named: "seeded \(port.name)", to: [port.value, seed])
      let own = try open.appendOne(sum, named: "sum of \(port.name)", to: [product])
      if let others = loss {
        loss = try open.appendOne(Add(), named: "with \(port.name)", to: [others, own])
      } else {
        loss = own
      }
    }
    let ends = loss.map { [(name: "loss", value: $0)] } ?? []
    let whole = try open.extracted(
      from: open.inputs.map { ($0.name, $0.value) }, to: ends)
    (self.layers, self.weights, self.seeds) = (ends.isEmpty ? [] : layers, weights, seeds)
    float = ModelRunner(graph, options: options)
    self.integer = ModelRunner(integer, options: options)
    gradients = GradientRunner(
      whole, loss: "loss", by: weights.map(\.name), options: options)
  }

  /// Takes in a sample: a tensor for each graph input, in order.
  package mutating func observe(_ sample: [Tensor]) throws(ModelError) {
    guard !layers.isEmpty else { return }
    let (expected, made) = (try float.run(sample), try integer.run(sample))
    var given = Dictionary(zip(inputs, sample), uniquingKeysWith: { $1 })
    for (name, tensor, _) in weights { given[name] = tensor }
    for (name, output) in seeds {
      given[name] = Self.seed(expected[output], against: made[output])
    }
    let found: [[Float]]
    do {
      found = try gradients.run(given).gradients
    } catch  where Self.unknown.contains(error.code) {
      layers = []
      return
    }
    samples += 1
    for (index, gradient) in found.enumerated() {
      let (_, tensor, axis) = weights[index]
      let own = tensor.shape.sums(ofSquares: gradient, along: axis)
      layers[index].add(own, samples: samples)
    }
  }

  /// What differentiating a graph may fail with.
  private static let unknown: Set<ModelError.Code> = [
    .unsupportedOperator, .unsupportedFeature, .unknownShape,
  ]

  /// 1 or −1 for each element, by the root of the noise that the outputs have: the square of a sum of errors that are weighed
  /// so is, on average, the sum of their squares as a share of that noise.
  private static func seed(_ expected: Tensor, against made: Tensor) -> Tensor {
    let (a, b) = (expected.floats(), made.floats())
    var (signal, noise) = (0.0, 0.0)
    for (x, y) in zip(a, b) {
      let difference = Double(x) - Double(y)
      noise += difference * difference
      signal += Double(x) * Double(x)
    }
    // 120 dB are as good as exact.
    let power = max(noise, signal * 1e-12)
    let size = power > 0 && power.isFinite ? Float(1 / power.squareRoot()) : 0
    var state: UInt64 = 1
    return Tensor(
      expected.shape,
      a.map { _ -> Float in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state >> 63 == 0 ? size : -size
      })
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
  fileprivate func sums(ofSquares values: [Float], along axis: Int) -> [Double] {
    let inner = count(axis + 1..<rank)
    var sums = [Double](repeating: 0, count: self[axis])
    for (index, value) in values.enumerated() {
      sums[index / inner % self[axis]] += Double(value) * Double(value)
    }
    return sums
  }
}

extension Graph {
  /// Values from which a way to an output leads through an operator without a gradient.
  fileprivate var valuesWithoutGradient: Set<ValueID> {
    var found: Set<ValueID> = []
    for node in nodes.reversed() {
      let isFloat = node.outputs.contains { type($0).element.isFloatingPoint }
      let ends = isFloat && !(node.op is any DifferentiableOperator)
      guard ends || node.outputs.contains(where: { found.contains($0) }) else { continue }
      for case let input? in node.inputs { found.insert(input) }
    }
    return found
  }
}
