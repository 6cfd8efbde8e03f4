import ModelIR
import ModelOperators
import Synchronization
import TensorCore

/// What samples showed of a graph, in memory that does not grow with their number. Two of one graph add up, in any order.
struct Observations: Sendable {
  var samples = 0
  /// By the index of the value.
  var observers: [Int: RangeObserver] = [:]
  /// Of what layers with weights read, by the index of the value.
  var means: [Int: ChannelMeans] = [:]
  /// Of what layers with weights read, by the name of the layer; in ``SharedMoments`` while samples run.
  var moments: [String: OperandMoments] = [:]
  /// Products that each node summed; nil where that is not its kind of work.
  var work: [Int?]

  init(_ graph: Graph) {
    work = graph.nodes.map { $0.op is any MultiplyingOperator ? 0 : nil }
  }

  /// Takes in what other samples showed.
  mutating func merge(_ other: consuming Observations) {
    guard samples > 0 else {
      self = other
      return
    }
    samples += other.samples
    for (index, own) in other.observers {
      observers[index, default: RangeObserver()].merge(own)
    }
    for (index, own) in other.means { means[index, default: ChannelMeans()].merge(own) }
    for (layer, own) in other.moments {
      if moments[layer]?.add(own) == nil { moments[layer] = own }
    }
    work = zip(work, other.work).map { a, b in a.flatMap { a in b.map { a &+ $0 } } }
  }

  /// Takes in one value of one sample.
  ///
  /// - Parameter sums: gets what ``moments`` is for, of which threads that observe at once have one between them.
  mutating func observe(
    _ id: ValueID, _ tensor: Tensor, _ layers: ObservedLayers, _ sums: SharedMoments
  ) throws(ModelError) {
    observers[id.index, default: RangeObserver()].observe(tensor)
    let readers = layers.readers[id.index] ?? []
    if let axis = readers.first?.axis(rank: tensor.shape.rank) {
      means[id.index, default: ChannelMeans()].observe(tensor, axis: axis)
    }
    guard layers.watchesOperands else { return }
    for reader in readers {
      guard let weight = reader.weight,
        let own = try OperandMoments.Sample(tensor, of: reader.op, weight: weight)
      else { continue }
      sums.add(own, of: reader.name)
    }
  }

  /// Adds what each node of `graph` multiplied in one sample, its values having these shapes.
  mutating func count(_ graph: Graph, _ shapes: [Int: Shape]) {
    func shape(_ id: ValueID) -> Shape? { shapes[id.index] ?? graph.type(id).shape }
    for (index, node) in graph.nodes.enumerated() {
      guard let op = node.op as? any MultiplyingOperator, let all = work[index],
        let output = node.outputs.first.flatMap(shape)
      else { continue }
      work[index] = op.multiplyAccumulates(node.inputs.map { $0.flatMap(shape) }, output)
        .map { all &+ $0 }
    }
  }
}

/// Moments by the names of layers, to which several threads add.
final class SharedMoments: Sendable {
  private final class Layer: Sendable {
    let sums: Mutex<OperandMoments>

    init(_ sums: consuming OperandMoments) { self.sums = Mutex(sums) }
  }

  private let layers: Mutex<[String: Layer]>

  /// - Parameter known: what is there already, which its owner is without until ``moved(to:)``: it would be copied before it grows.
  init(moving known: inout [String: OperandMoments]) {
    layers = Mutex(known.mapValues { Layer($0) })
    known = [:]
  }

  func add(_ sample: OperandMoments.Sample, of name: String) {
    let layer = layers.withLock { layers in
      let layer = layers[name] ?? Layer(OperandMoments(weights: sample.rows))
      layers[name] = layer
      return layer
    }
    layer.sums.withLock { $0.add(sample) }
  }

  /// Gives all of it to `owner`, when nobody adds any more.
  func moved(to owner: inout [String: OperandMoments]) {
    owner = layers.withLock { layers in
      defer { layers = [:] }
      return layers.mapValues { layer in layer.sums.withLock { $0 } }
    }
  }
}

/// The layers with weights of a graph, by what they read.
struct ObservedLayers: Sendable {
  struct Layer: Sendable {
    /// Of the first that has its weights.
    let name: String
    let op: any WeightedOperator
    /// Of constant weights in float32.
    let weight: Shape?

    /// The axis of the operand's channels.
    func axis(rank: Int) -> Int { ChannelMeans.axis(of: op, rank: rank) }
  }

  /// Whether what weights multiply is looked at, not only the channels' means.
  let watchesOperands: Bool
  /// By the index of the value that they read.
  let readers: [Int: [Layer]]

  init(_ graph: Graph, watchesOperands: Bool) {
    self.watchesOperands = watchesOperands
    var readers: [Int: [Layer]] = [:]
    let shared = SharedWeights(graph)
    for node in graph.nodes {
      guard let op = node.op as? any WeightedOperator, let x = node.inputs[0] else { continue }
      let weight = node.inputs[1].flatMap { graph.constant($0) }
      readers[x.index, default: []].append(
        Layer(
          name: shared.firstLayer(like: node), op: op,
          weight: weight.flatMap { $0.element == .float32 ? $0.shape : nil }))
    }
    self.readers = readers
  }

  /// How many weights of an output channel the moments of a layer are of; nil where it can have none.
  func momentWeights(of name: String) -> Int? {
    for layers in readers.values {
      guard let layer = layers.first(where: { $0.name == name }), let shape = layer.weight else {
        continue
      }
      return shape.count / max(shape[layer.op.weightChannelAxis], 1)
    }
    return nil
  }
}
