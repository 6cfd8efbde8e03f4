import ModelIR
import ModelOperators
import ModelPasses
import TensorCore

/// Which channels of a graph's values can be divided by a positive factor that the weights before and after them
/// make up for, and which must have the same factor as each other.
///
/// A factor goes through what is positively homogeneous in each channel: sums of layers with weights, relu and its
/// relatives, pooling, resampling, moves. It starts in the weights, or the scale of a normalisation, that make the
/// channel, and ends in the weights of every layer that reads it.
struct ChannelGroups {
  /// A layer that reads a value by channel.
  struct Reader {
    let node: Int
    /// Which of the node's operands are weights that the channel meets.
    let weights: [Int]
  }

  /// The channel axis of each value that has one here.
  private(set) var axes: [ValueID: Int] = [:]
  private(set) var readers: [ValueID: [Reader]] = [:]
  private var starts: [ValueID: (first: Int, count: Int)] = [:]
  private var parents: [Int] = []
  private var frozen: [Bool] = []
  private let graph: Graph

  /// - Parameter through: factors also start in normalisations.
  init(_ graph: Graph, throughNormalizations through: Bool) {
    self.graph = graph
    for (index, node) in graph.nodes.enumerated() { visit(node, index, through) }
    for port in graph.outputs { freeze(port.value) }
  }

  /// Values with channels, in the order of the graph.
  var values: [ValueID] { axes.keys.sorted() }
  func count(_ id: ValueID) -> Int { starts[id]?.count ?? 0 }

  /// The group of a channel; nil where its factor is 1.
  func group(_ id: ValueID, _ channel: Int) -> Int? {
    guard let start = starts[id] else { return nil }
    let root = root(start.first + channel)
    return frozen[root] ? nil : root
  }

  // MARK: What nodes ask for

  private mutating func visit(_ node: Node, _ index: Int, _ through: Bool) {
    guard let output = node.outputs.first else { return }
    switch node.op {
    case let op as any FoldableOperator: visitLayer(node, index, op, output)
    case is any IntegerRecurrentOperator:
      for (place, operand) in node.inputs.enumerated() {
        guard let operand else { continue }
        let w = place == 0 ? node.input(1).flatMap { graph.constant($0) } : nil
        read(operand, axis: 2, channels: w?.shape[2], Reader(node: index, weights: [1]))
      }
    case let op as LayerNormalization:
      freezeOperands(node)
      let rank = graph.type(output).rank ?? 0
      guard through, rank > 0, op.axis == -1 || op.axis == rank - 1, node.outputs.count == 1,
        let scale = node.input(1).flatMap({ graph.constant($0) }), scale.shape.rank == 1,
        node.input(2).map({ graph.constant($0)?.shape == scale.shape }) ?? true
      else { return }
      start(output, axis: rank - 1, channels: scale.count)
    case is Relu, is LeakyRelu, is MaxPool, is AveragePool, is GlobalAveragePool, is Resize:
      carry(node, to: output)
    case is PRelu where node.input(1).map { graph.constant($0) != nil } ?? false:
      carry(node, to: output)
    case let op as Transpose:
      carry(node, to: output) { (try? op.order(rank: $1))?.firstIndex(of: $0) }
    case is Add:
      tie(node.input(0), node.input(1))
      carry(node, to: output)
    case let op as Concat: join(node, op, output)
    default: freezeOperands(node)
    }
  }

  private mutating func visitLayer(
    _ node: Node, _ index: Int, _ op: any FoldableOperator, _ output: ValueID
  ) {
    guard let x = node.input(0), let w = node.input(1), let weight = graph.constant(w),
      weight.element == .float32, let rank = graph.type(output).rank,
      node.input(2).map({ graph.constant($0) != nil }) ?? true
    else { return freezeOperands(node) }
    read(
      x, axis: op.inputChannelAxis(rank: graph.type(x).rank ?? 0),
      channels: op.inputs(of: weight.shape).count, Reader(node: index, weights: [1]))
    start(
      output, axis: op.channelAxis(rank: rank), channels: op.outputs(of: weight.shape).count)
    if node.input(3) != nil { tie(node.input(3), output) }
    switch op.epilogue.activation {
    case .none, .relu, .leakyRelu, .prelu: break
    default: freeze(output)
    }
  }

  private mutating func freezeOperands(_ node: Node) {
    for case let operand? in node.inputs { freeze(operand) }
  }

  /// What one operand of a node carries is carried on, its axis where `moved` says.
  private mutating func carry(
    _ node: Node, to output: ValueID, _ moved: (Int, Int) -> Int? = { axis, _ in axis }
  ) {
    guard let x = node.input(0), let axis = axes[x] else { return freezeOperands(node) }
    let (type, rank) = (graph.type(output), graph.type(x).rank ?? 0)
    guard let place = moved(axis, rank), let dimensions = type.dimensions,
      place < dimensions.count, dimensions[place].value == count(x)
    else { return freezeOperands(node) }
    start(output, axis: place, channels: count(x))
    tie(x, output)
  }

  private mutating func join(_ node: Node, _ op: Concat, _ output: ValueID) {
    let rank = graph.type(output).rank ?? 0
    let axis = op.axis < 0 ? op.axis + rank : op.axis
    let operands = node.inputs.compactMap { $0 }
    guard operands.allSatisfy({ axes[$0] == axis }) else { return freezeOperands(node) }
    start(output, axis: axis, channels: operands.reduce(0) { $0 + count($1) })
    guard let whole = starts[output] else { return }
    var offset = whole.first
    for operand in operands {
      guard let part = starts[operand] else { continue }
      for channel in 0..<part.count { unite(part.first + channel, offset + channel) }
      offset += part.count
    }
  }

  // MARK: Groups

  private mutating func start(_ id: ValueID, axis: Int, channels: Int) {
    axes[id] = axis
    starts[id] = (parents.count, channels)
    parents += parents.count..<parents.count + channels
    frozen += [Bool](repeating: false, count: channels)
  }

  private mutating func read(_ id: ValueID, axis: Int, channels: Int?, _ reader: Reader) {
    guard axes[id] == axis, count(id) == channels else { return freeze(id) }
    readers[id, default: []].append(reader)
  }

  private mutating func tie(_ a: ValueID?, _ b: ValueID?) {
    guard let a, let b, let p = starts[a], let q = starts[b], axes[a] == axes[b],
      p.count == q.count, graph.type(a).rank == graph.type(b).rank
    else {
      if let a { freeze(a) }
      if let b { freeze(b) }
      return
    }
    for channel in 0..<p.count { unite(p.first + channel, q.first + channel) }
  }

  private mutating func freeze(_ id: ValueID) {
    guard let start = starts[id] else { return }
    for channel in 0..<start.count { frozen[root(start.first + channel)] = true }
  }

  private func root(_ index: Int) -> Int {
    var index = index
    while parents[index] != index { index = parents[index] }
    return index
  }

  private mutating func unite(_ a: Int, _ b: Int) {
    let (p, q) = (root(a), root(b))
    parents[max(p, q)] = min(p, q)
    frozen[min(p, q)] = frozen[p] || frozen[q]
  }
}
