import ModelAdaptation
import ModelIR
import ModelOperators
import ModelRuntime
import TensorCore

/// How much of the noise of a graph's integer form the weights of its layers would make, sample by sample (`Q57`): the gradients by weights
/// of the sum of all outputs, each element with a sign of its own.
struct WeightProbe: ~Copyable {
  /// Of a layer.
  struct Weight {
    /// The name of the node.
    let layer: String
    /// The name of the input by which the differentiated graph gets it.
    fileprivate let input: String
    let tensor: Tensor
    /// Of its output channels.
    let axis: Int
  }

  /// Of layers from which every way to an output leads through operators with gradients.
  let weights: [Weight]
  private let inputs: [String]
  private let seeds: [(name: String, output: Int)]
  /// Weights and signs are inputs of its graph. Samples run one after another, each on all threads, for what a graph and its
  /// gradients take of memory they take once.
  private var gradients: GradientRunner

  /// - Parameter graph: the float graph, as ``Quantizer/prepared(_:)`` gives it.
  init(_ graph: Graph, threads: Int) throws(ModelError) {
    // From these a way to an output leads through an operator without a gradient.
    let blind = graph.valuesLeading { node in
      let isFloat = node.outputs.contains { graph.type($0).element.isFloatingPoint }
      return isFloat && !(node.op is any DifferentiableOperator) ? node.inputs : []
    }
    var ports = graph.inputs.map { (name: $0.name, value: $0.value) }
    let inputs = ports.map(\.name)
    // No input of the graph has a name like the new ones.
    let mark = String(repeating: "'", count: 1 + (inputs.map(\.count).max() ?? 0))
    var weights: [Weight] = []
    var seen: Set<ValueID> = []
    for node in graph.nodes {
      guard let op = node.op as? any WeightedOperator, !blind.contains(node.outputs[0]),
        let id = node.inputs[1], let weight = graph.constant(id), weight.element == .float32,
        weight.count > 0, seen.insert(id).inserted
      else { continue }
      weights.append(
        Weight(
          layer: node.name, input: mark + node.name, tensor: weight, axis: op.weightChannelAxis))
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
    let whole = try open.extracted(from: open.inputs.map { ($0.name, $0.value) }, to: ends)
    self.weights = ends.isEmpty ? [] : weights
    (self.inputs, self.seeds) = (inputs, seeds)
    gradients = GradientRunner(
      whole, loss: "loss", by: weights.map(\.input),
      options: PlanOptions(profile: .exact, threads: threads))
  }

  /// For each of ``weights`` the sums of squares over its channels; nil where the graph has no gradient after all.
  ///
  /// - Parameters:
  ///   - sample: a tensor for each graph input, in order.
  ///   - number: of the sample. Each has signs of its own: where outputs go together, those of one may be far off the average.
  ///   - noise: the power of the noise of each graph output, in order.
  mutating func squares(
    _ sample: WeightSensitivity.Sample, number: Int, noise: [Double]
  ) throws(ModelError) -> [[Double]]? {
    guard !weights.isEmpty else { return nil }
    var signs = RepeatableNumbers(seed: UInt64(number))
    var given = Dictionary(zip(inputs, sample.inputs), uniquingKeysWith: { $1 })
    for weight in weights { given[weight.input] = weight.tensor }
    for (name, output) in seeds {
      // Of several outputs, the mean share of their noise counts.
      given[name] = Self.seed(
        sample.outputs[output].shape, noise: noise[output] * Double(seeds.count), &signs)
    }
    do {
      let own = try gradients.run(given).gradients
      return zip(weights, own).map { $0.tensor.shape.sums(ofSquares: $1, along: $0.axis) }
    } catch  where Self.unknown.contains(error.code) {
      return nil
    }
  }

  /// What differentiating a graph may fail with.
  private static let unknown: Set<ModelError.Code> = [
    .unsupportedOperator, .unsupportedFeature, .unknownShape,
  ]

  /// 1 or −1 for each element, by the root of the noise: the square of a sum of errors that are weighed so is, on average, the sum of
  /// their squares as a share of that noise.
  private static func seed(
    _ shape: Shape, noise: Double, _ signs: inout RepeatableNumbers
  ) -> Tensor {
    let size = noise > 0 && noise.isFinite ? Float(1 / noise.squareRoot()) : 0
    return Tensor(
      .float32, shape,
      writing: { bytes in
        for index in 0..<shape.count {
          bytes.storeBytes(
            of: signs.next() >> 63 == 0 ? size : -size, toByteOffset: 4 * index, as: Float.self)
        }
      })
  }
}
