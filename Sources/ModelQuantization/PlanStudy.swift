import ModelIR
import ModelOperators
import ModelRuntime
import TensorCore

/// What each form of each layer of a graph costs, and what noise it makes, found once for all plans (`Q60`, `Q67`).
package struct PlanStudy: Sendable {
  /// A form of a layer with the noise that it makes in each output.
  struct Choice {
    let form: LayerForm
    let noise: [Double]
    let bytes: Int
    let products: Int
    var milliseconds: Double?
  }

  struct Layer {
    let name: String
    var choices: [Choice]
  }

  /// The first form of each is what it has where nothing is planned.
  private(set) var layers: [Layer] = []
  /// Bytes of the tensors of the graph whose layers are all int8.
  private(set) var bytes = 0
  /// Milliseconds of a run of it, where they are measured.
  private(set) var milliseconds: Double?
  /// Whether a byte counts as much as time does, because weights may have fewer bits for its sake.
  let countsBytes: Bool
  /// Products of the whole graph, over all calibration samples.
  private(set) var products = 0
  let ranges: Quantizer.Ranges
  private let samples: [[Tensor]]
  private let expected: [[Tensor]]
  private let threads: Int
  private let storedBytes: @Sendable ([Tensor]) throws(ModelError) -> Int

  /// - Parameters:
  ///   - samples: what noise is measured on: a tensor for each graph input. Times are of the first.
  ///   - isTimed: whether forms are timed.
  ///   - storedBytes: what tensors take of a bundle.
  package init(
    _ quantizer: Quantizer, _ calibration: borrowing Calibration, _ samples: [[Tensor]],
    isTimed: Bool = false, threads: Int = 1,
    storedBytes: @escaping @Sendable ([Tensor]) throws(ModelError) -> Int
  ) throws(ModelError) {
    guard !samples.isEmpty else {
      throw ModelError(.missingInput, "Q60: a plan needs at least one sample")
    }
    self.samples = samples
    self.threads = threads
    self.storedBytes = storedBytes
    countsBytes = quantizer.grid != nil
    let graph = calibration.graph
    ranges = try quantizer.ranges(calibration)
    var runner = ModelRunner(graph, options: PlanOptions(profile: .exact, threads: threads))
    expected = try samples.map { (sample) throws(ModelError) in try runner.run(sample) }
    let base = try quantizer.quantize(calibration, ranges)
    bytes = try tensorBytes(of: base.graph)
    let times = isTimed ? try StepTimes(base.graph, samples[0]) : nil
    milliseconds = times?.whole
    for (index, node) in graph.nodes.enumerated() {
      let own = calibration.multiplyAccumulates(of: index)
      products += own ?? 0
      guard base.record.layers[index].floatReason == nil, LayerForm.isPlanned(node) else {
        continue
      }
      var alone = quantizer
      alone.keptFloat.formUnion(graph.nodes.map(\.name).filter { $0 != node.name })
      var choices: [Choice] = []
      for form in LayerForm.forms(of: node, isGridded: quantizer.grid != nil) {
        let made =
          form == .float32
          ? graph : try alone.giving(node.name, form).quantize(calibration, ranges).graph
        let operand = node.inputs[0].flatMap { calibration.observer(of: $0) }?.count ?? 0
        choices.append(
          Choice(
            form: form,
            noise: form == .float32 ? expected[0].map { _ in 0 } : try noise(of: made),
            // The operand has nothing to do with how weights are stored.
            bytes: form == .wide
              ? choices.last?.bytes ?? 0 : try storedBytes(made.constants(of: node.name)),
            products: form.products(own ?? operand, splitting: operand)))
        guard let times else { continue }
        let changed =
          choices.count == 1
          ? times
          : try StepTimes(
            quantizer.giving(node.name, form).quantize(calibration, ranges).graph, samples[0])
        choices[choices.count - 1].milliseconds =
          changed.seconds(besides: times, of: node.name) * 1000
      }
      layers.append(Layer(name: node.name, choices: choices))
    }
  }

  /// What the tensors of a graph take of a bundle.
  func tensorBytes(of graph: Graph) throws(ModelError) -> Int {
    var sum = 0
    for value in graph.values where value.producer == nil {
      if let constant = value.fact.constant { sum += try storedBytes([constant]) }
    }
    return sum
  }

  /// What `graph` makes of the samples.
  func results(of graph: Graph) throws(ModelError) -> [[Tensor]] {
    var runner = ModelRunner(graph, options: PlanOptions(profile: .exact, threads: threads))
    return try samples.map { (sample) throws(ModelError) in try runner.run(sample) }
  }

  /// The share of noise in the power of each output.
  private func noise(of graph: Graph) throws(ModelError) -> [Double] {
    var powers = graph.outputs.map { _ in Powers() }
    for (made, expected) in zip(try results(of: graph), expected) {
      for index in powers.indices where made[index].element == .float32 {
        powers[index].add(made[index], expected[index])
      }
    }
    return powers.map { $0.signal > 0 ? $0.noise / $0.signal : 0 }
  }

  /// The greatest distance over the samples.
  func distance(
    of results: [[Tensor]], by target: QualityTarget
  ) throws(ModelError) -> Double {
    var greatest = 0.0
    for (made, expected) in zip(results, expected) {
      let distance = try target.distance(made[target.output], expected[target.output])
      greatest = distance.isNaN ? .infinity : max(greatest, distance)
    }
    return greatest
  }

  /// Milliseconds of a run of `graph` on the first sample.
  func milliseconds(of graph: Graph) throws(ModelError) -> Double {
    try StepTimes(graph, samples[0]).whole
  }
}

extension LayerForm {
  /// Layers that a plan is about: those with weights of their own.
  static func isPlanned(_ node: Node) -> Bool {
    node.op is any WeightedOperator || node.op is any IntegerRecurrentOperator
      || node.op is MemoryRead
  }

  /// Forms that a layer can have.
  ///
  /// - Parameter isGridded: whether weights may have fewer bits than eight.
  static func forms(of node: Node, isGridded: Bool) -> [LayerForm] {
    let usual: [LayerForm] =
      node.op is any WeightedOperator ? [.int8, .wide, .float32] : [.int8, .float32]
    return isGridded && !(node.op is MemoryRead) ? [.narrow] + usual : usual
  }

  /// What takes as long as `own` products do in int8 (`Q67`): one instruction adds up 64 products of integers, two multiply and
  /// add 16 floats in a fixed order.
  ///
  /// - Parameter elements: of the operand, which 16 bits split and floats are made of.
  func products(_ own: Int, splitting elements: Int) -> Int {
    switch self {
    case .narrow, .int8: own
    case .wide: 2 * own + WideChoice.splitting * elements
    case .float32: 8 * own + WideChoice.splitting * elements
    }
  }
}

extension Quantizer {
  /// This quantizer with a layer in a form.
  func giving(_ layer: String, _ form: LayerForm) -> Quantizer {
    var quantizer = self
    switch form {
    case .narrow: break
    case .int8: quantizer.fine.insert(layer)
    case .wide:
      quantizer.fine.insert(layer)
      quantizer.wide.insert(layer)
    case .float32: quantizer.keptFloat.insert(layer)
    }
    return quantizer
  }
}

extension Graph {
  /// What a node has of its own: constants that it reads.
  fileprivate func constants(of name: String) -> [Tensor] {
    nodes.first { $0.name == name }?.inputs.compactMap { $0.flatMap { constant($0) } } ?? []
  }
}

/// The least times of the steps of a graph in some runs on one thread.
private struct StepTimes {
  private static let runs = 7
  private let steps: [String: Double]
  /// Milliseconds of the fastest run.
  let whole: Double

  init(_ graph: Graph, _ inputs: [Tensor]) throws(ModelError) {
    var runner = ModelRunner(graph, options: PlanOptions())
    var best: [StepTime] = []
    var whole = Double.infinity
    let clock = ContinuousClock()
    for run in 0..<Self.runs {
      let start = clock.now
      _ = try runner.run(inputs)
      if run > 0 { whole = min(whole, start.duration(to: clock.now) / .milliseconds(1)) }
      let profile = try runner.profile(inputs)
      if run > 0 { best = best.fastest(with: profile) }
    }
    steps = best.secondsByName
    self.whole = whole
  }

  /// Of the steps of a layer, and of those that another form of the graph does not have.
  func seconds(besides other: StepTimes, of layer: String) -> Double {
    let own = steps.filter { $0.key == layer || other.steps[$0.key] == nil }
    let gone = other.steps.filter { $0.key != layer && steps[$0.key] == nil }
    return own.reduce(0) { $0 + $1.value } - gone.reduce(0) { $0 + $1.value }
  }
}
