import ModelIR
import ModelOperators
import ModelRuntime
import TensorCore

/// Ranges of every float activation of one graph, gathered sample by sample in memory that does not
/// grow with their number. Samples run in the exact profile, so that the same samples give the same
/// ranges on every CPU.
package struct Calibration: ~Copyable {
  package let graph: Graph
  package internal(set) var samples = 0
  var observers: [Int: RangeObserver] = [:]
  /// Of what layers with weights read.
  var means: [Int: ChannelMeans] = [:]
  /// Products that each node summed, over all samples.
  var work: [Int?]
  /// The layer that reads each of these values.
  private let layers: [Int: any WeightedOperator]
  private var runner: ModelRunner

  package init(_ graph: Graph, threads: Int = 1) {
    self.graph = graph
    var layers: [Int: any WeightedOperator] = [:]
    for node in graph.nodes {
      guard let layer = node.op as? any WeightedOperator, let x = node.inputs[0] else { continue }
      layers[x.index] = layer
    }
    self.layers = layers
    work = graph.nodes.map { $0.op is any MultiplyingOperator ? 0 : nil }
    runner = ModelRunner(graph, options: PlanOptions(profile: .exact, threads: threads))
  }

  /// Runs one sample: a tensor for each graph input, in order.
  package mutating func observe(_ inputs: [Tensor]) throws(ModelError) {
    var observers = self.observers
    self.observers = [:]
    var means = self.means
    self.means = [:]
    let layers = layers
    func observe(_ id: ValueID, _ tensor: Tensor) {
      observers[id.index, default: RangeObserver()].observe(tensor)
      guard let layer = layers[id.index] else { return }
      means[id.index, default: ChannelMeans()].observe(
        tensor, axis: ChannelMeans.axis(of: layer, rank: tensor.shape.rank))
    }
    for (port, tensor) in zip(graph.inputs, inputs) where tensor.element == .float32 {
      observe(port.value, tensor)
    }
    let number = samples
    let graph = graph
    var shapes: [Int: Shape] = [:]
    for (port, tensor) in zip(graph.inputs, inputs) { shapes[port.value.index] = tensor.shape }
    try during("calibrating with sample \(number)") { () throws(ModelError) in
      _ = try runner.run(inputs) { (id, tensor) throws(ModelError) in
        shapes[id.index] = tensor.shape
        guard tensor.element == .float32, graph.constant(id) == nil else { return }
        observe(id, tensor)
      }
    }
    self.observers = observers
    self.means = means
    samples += 1
    count(shapes)
  }

  /// Adds what each node multiplied, its values having these shapes.
  private mutating func count(_ shapes: [Int: Shape]) {
    func shape(_ id: ValueID) -> Shape? { shapes[id.index] ?? graph.type(id).shape }
    for (index, node) in graph.nodes.enumerated() {
      guard let op = node.op as? any MultiplyingOperator, let all = work[index],
        let output = node.outputs.first.flatMap(shape)
      else { continue }
      work[index] = op.multiplyAccumulates(node.inputs.map { $0.flatMap(shape) }, output)
        .map { all &+ $0 }
    }
  }

  /// Products that node `index` summed, over all samples; nil where that is not its kind of work.
  func multiplyAccumulates(of index: Int) -> Int? { work[index] }

  /// The observer of a value; nil for constants, integers, and values that no plan kept.
  package func observer(of id: ValueID) -> RangeObserver? { observers[id.index] }

  /// The means of the channels of what a layer reads.
  func channelMeans(of id: ValueID) -> ChannelMeans? { means[id.index] }

  /// The range of each observed value. Of what goes into the graph, `mse` cuts nothing off: it would be missing in every layer.
  package func ranges(
    _ method: CalibrationMethod
  ) throws(ModelError) -> [ValueID: ValueRange] {
    guard samples > 0 else {
      throw ModelError(.missingInput, "calibration needs at least one sample")
    }
    let whole = method == .mse ? Set(graph.inputs.map(\.value.index)) : []
    var ranges: [ValueID: ValueRange] = [:]
    for (index, observer) in observers {
      let id = ValueID(index: index)
      ranges[id] = try during("choosing the range of '\(graph[id].name)'") {
        () throws(ModelError) in
        try observer.range(whole.contains(index) ? .minMax : method)
      }
    }
    return ranges
  }
}
