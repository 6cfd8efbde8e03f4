import ModelIR
import ModelOperators
import ModelRuntime
import Synchronization
import TensorCore

/// What samples show of one graph: ranges of every float activation, and what layers with weights read, gathered in memory
/// that does not grow with their number. Samples run in the exact profile, so that the same samples give the same results on every
/// CPU; they run side by side, which changes nothing because what they show adds up in any order.
package struct Calibration: ~Copyable {
  package let graph: Graph
  var seen: Observations
  let layers: ObservedLayers
  private let threads: Int
  /// Each runs samples of one thread.
  private var runners = ReusePool<Holder<ModelRunner>>()
  /// How the weights of layers make up for each other.
  private(set) var adaptiveRoundings = AdaptiveRoundings([:])

  /// - Parameters:
  ///   - watchesOperands: whether to gather what ``WeightRounding/adaptive`` needs.
  ///   - threads: samples that run at a time.
  package init(_ graph: Graph, watchesOperands: Bool = false, threads: Int = 1) {
    self.graph = graph
    self.threads = threads
    seen = Observations(graph)
    layers = ObservedLayers(graph, watchesOperands: watchesOperands)
  }

  package var samples: Int { seen.samples }

  /// Runs one sample: a tensor for each graph input, in order.
  package mutating func observe(_ inputs: [Tensor]) throws(ModelError) {
    try observe(samples: [inputs])
  }

  /// Runs samples, each a tensor for each graph input, in order. Where one fails, nothing is known any more.
  ///
  /// - Parameter places: of samples whose outputs are wanted.
  /// - Returns: what the graph makes of these, by their places.
  @discardableResult
  package mutating func observe(
    samples: [[Tensor]], keeping places: Set<Int> = []
  ) throws(ModelError) -> [Int: [Tensor]] {
    guard !samples.isEmpty else { return [:] }
    let (graph, first, layers) = (graph, self.samples, layers)
    // One thread adds to what is known, so that it is there once.
    adaptiveRoundings = AdaptiveRoundings([:])
    let sums = SharedMoments(moving: &seen.moments)
    let known = Mutex<Observations?>(seen)
    seen = Observations(graph)
    let kept = Mutex<[Int: [Tensor]]>([:])
    let observed = try sideBySide(samples.count) { (runner, own) throws(ModelError) in
      try Calibration.observations(
        of: own.map { (number: first + $0, inputs: samples[$0]) },
        after: known.withLock { $0.take() } ?? Observations(graph), &runner, layers, sums
      ) { number, outputs in
        guard places.contains(number - first) else { return }
        kept.withLock { $0[number - first] = outputs }
      }
    }
    merge(observed)
    sums.moved(to: &seen.moments)
    adaptiveRoundings = AdaptiveRoundings(seen.moments)
    return kept.withLock { $0 }
  }

  /// What the graph makes of each of `samples`, which count as not observed.
  package func outputs(_ samples: [[Tensor]]) throws(ModelError) -> [[Tensor]] {
    try sideBySide(samples.count) { (runner, own) throws(ModelError) in
      try own.map { (number) throws(ModelError) in (number, try runner.run(samples[number])) }
    }.flatMap(\.self).sorted { $0.0 < $1.0 }.map(\.1)
  }

  /// `body` of some of `count` samples on each thread, with a runner that nothing else uses meanwhile.
  private func sideBySide<Result: Sendable>(
    _ count: Int,
    _ body: @Sendable (inout ModelRunner, _ own: [Int]) throws(ModelError) -> Result
  ) throws(ModelError) -> [Result] {
    let (graph, runners) = (graph, runners)
    let workers = min(threads, count)
    return try concurrently(workers) { (worker) throws(ModelError) in
      try runners.use(
        orMake: { () throws(ModelError) in
          Holder(ModelRunner(graph, options: PlanOptions(profile: .exact)))
        },
        { (held) throws(ModelError) in
          try body(&held.content, Array(stride(from: worker, to: count, by: workers)))
        })
    }
  }

  /// Lets go of the memory that samples run in, until another comes.
  package mutating func rest() { runners = ReusePool() }

  private static func observations(
    of samples: [(number: Int, inputs: [Tensor])], after known: consuming Observations,
    _ runner: inout ModelRunner, _ layers: ObservedLayers, _ sums: SharedMoments,
    made: (_ number: Int, _ outputs: [Tensor]) -> Void
  ) throws(ModelError) -> Observations {
    let graph = runner.graph
    var seen = known
    for (number, inputs) in samples {
      var shapes: [Int: Shape] = [:]
      try during("calibrating with sample \(number)") { () throws(ModelError) in
        for (port, tensor) in zip(graph.inputs, inputs) {
          shapes[port.value.index] = tensor.shape
          if tensor.element == .float32 { try seen.observe(port.value, tensor, layers, sums) }
        }
        let outputs = try runner.run(inputs) { (id, tensor) throws(ModelError) in
          shapes[id.index] = tensor.shape
          guard tensor.element == .float32, graph.constant(id) == nil else { return }
          try seen.observe(id, tensor, layers, sums)
        }
        made(number, outputs)
      }
      seen.samples += 1
      seen.count(graph, shapes)
    }
    return seen
  }

  /// Takes in what other samples of the graph showed.
  mutating func merge(_ others: consuming [Observations]) {
    // Moments that somebody else holds as well would be copied before they grow.
    adaptiveRoundings = AdaptiveRoundings([:])
    while let other = others.popLast() { seen.merge(other) }
    adaptiveRoundings = AdaptiveRoundings(seen.moments)
  }

  /// Products that node `index` summed, over all samples; nil where that is not its kind of work.
  func multiplyAccumulates(of index: Int) -> Int? { seen.work[index] }

  /// The observer of a value; nil for constants, integers, and values that no plan kept.
  package func observer(of id: ValueID) -> RangeObserver? { seen.observers[id.index] }

  /// The first tensor with values that are not finite, how many there were, and how many other tensors have such.
  package var strays: (name: String, count: Int, others: Int)? {
    let found = graph.values.indices.compactMap { index -> (String, Int)? in
      guard let count = seen.observers[index]?.notFinite, count > 0 else { return nil }
      return (graph.values[index].name, count)
    }
    return found.first.map { ($0.0, $0.1, found.count - 1) }
  }

  /// The means of the channels of what a layer reads.
  func channelMeans(of id: ValueID) -> ChannelMeans? { seen.means[id.index] }

  /// The range of each observed value. Of what goes into the graph, `mse` cuts nothing off: it would be missing in every layer.
  package func ranges(
    _ method: CalibrationMethod
  ) throws(ModelError) -> [ValueID: ValueRange] {
    guard samples > 0 else {
      throw ModelError(.missingInput, "calibration needs at least one sample")
    }
    let whole = method == .mse ? Set(graph.inputs.map(\.value.index)) : []
    var ranges: [ValueID: ValueRange] = [:]
    for (index, observer) in seen.observers {
      let id = ValueID(index: index)
      ranges[id] = try during("choosing the range of '\(graph[id].name)'") {
        () throws(ModelError) in
        try observer.range(whole.contains(index) ? .minMax : method)
      }
    }
    return ranges
  }
}
