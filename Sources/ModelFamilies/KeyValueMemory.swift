import ModelIR
import TensorCore

/// A memory of S slots that a feature reads: softmax(radius · cosine(query, keyᵢ)) weighs the values,
/// and what is read is joined to a feature.
///
/// Found in a graph as it was imported, whatever the names: a Softmax over the product of a normalised
/// query with constants of S×C, whose result multiplies other constants of S×V and goes to a Concat.
struct KeyValueMemory {
  let slots: Int
  let keyWidth: Int
  let valueWidth: Int
  /// What the cosine is multiplied by: every constant factor on the way to the softmax.
  let radius: Double
  /// The addresses: the softmax's output.
  let address: ValueID

  /// Every memory of `graph`, in the order of their reads.
  static func all(in graph: Graph) -> [KeyValueMemory] {
    let view = GraphView(graph)
    return graph.nodes.filter { view.kind($0) == "Softmax" }.compactMap {
      KeyValueMemory(readBy: $0, in: view)
    }
  }

  private init?(readBy softmax: Node, in view: GraphView) {
    guard let scores = softmax.inputs.first.flatMap({ $0 }) else { return nil }
    var value = scores
    var radius = 1.0
    var product: Node?
    while let node = view.graph.producer(of: value) {
      if let factor = view.constantFactor(of: node) {
        radius *= factor.by
        value = factor.of
        continue
      }
      if let passed = view.carried(by: node) {
        value = passed
        continue
      }
      product = node
      break
    }
    guard let product, let keys = view.productWithConstant(product),
      view.isNormalised(keys.other)
    else { return nil }
    radius *= keys.alpha
    let address = softmax.outputs[0]
    for reader in view.readers(of: address) {
      guard let values = view.productWithConstant(reader), values.rows == keys.columns,
        view.readers(of: reader.outputs[0]).contains(where: { view.kind($0) == "Concat" })
      else { continue }
      slots = keys.columns
      keyWidth = keys.rows
      valueWidth = values.columns
      self.radius = radius
      self.address = address
      return
    }
    return nil
  }
}

/// Questions about a graph that recognition asks.
struct GraphView {
  let graph: Graph
  private let readersOf: [[Int]]
  private let constantRooted: [Bool]

  init(_ graph: Graph) {
    self.graph = graph
    var readers = [[Int]](repeating: [], count: graph.values.count)
    var rooted = graph.values.map { $0.fact.constant != nil }
    for (index, node) in graph.nodes.enumerated() {
      for input in node.inputs { if let input { readers[input.index].append(index) } }
      let constant = node.inputs.allSatisfy { $0.map { rooted[$0.index] } ?? true }
      for output in node.outputs { rooted[output.index] = constant }
    }
    readersOf = readers
    constantRooted = rooted
  }

  /// Convolutions, and whether each has a bias.
  var convolutions: [(node: Node, hasBias: Bool)] {
    graph.nodes.filter { kind($0) == "Conv" }
      .map { ($0, $0.inputs.count > 2 && $0.inputs[2] != nil) }
  }

  func kind(_ node: Node) -> String { Swift.type(of: node.op).name }
  func readers(of value: ValueID) -> [Node] { readersOf[value.index].map { graph.nodes[$0] } }
  func count(_ kind: String) -> Int { graph.nodes.filter { self.kind($0) == kind }.count }

  /// The float32 extents of a value, with nil for those that are not fixed.
  func extents(_ value: ValueID) -> [Int?]? {
    let type = graph.type(value)
    guard type.logical.element == .float32 else { return nil }
    return type.dimensions?.map(\.value)
  }

  /// The constant that a Mul or Div applies, and to what.
  func constantFactor(of node: Node) -> (by: Double, of: ValueID)? {
    guard node.inputs.count == 2, let a = node.inputs[0], let b = node.inputs[1] else { return nil }
    switch kind(node) {
    case "Mul":
      if let factor = scalar(b) { return (factor, a) }
      if let factor = scalar(a) { return (factor, b) }
      return nil
    case "Div": return scalar(b).flatMap { $0 == 0 ? nil : (1 / $0, a) }
    default: return nil
    }
  }

  private func scalar(_ value: ValueID) -> Double? {
    guard let constant = graph.constant(value), constant.count == 1 else { return nil }
    return constant.doubles()[0]
  }

  /// The operand of a node that changes the arrangement of elements only.
  func carried(by node: Node) -> ValueID? {
    let kinds: Set = ["Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Cast"]
    return kinds.contains(kind(node)) ? node.inputs.first.flatMap { $0 } : nil
  }

  /// A matrix product with a constant (or what is computed from constants alone) of rank 2 on the right.
  struct ConstantProduct {
    let other: ValueID
    /// Extents of the constant as it is multiplied.
    let rows: Int
    let columns: Int
    let alpha: Double
  }

  func productWithConstant(_ node: Node) -> ConstantProduct? {
    guard ["MatMul", "Gemm", "Linear"].contains(kind(node)), node.inputs.count >= 2,
      let other = node.inputs[0], let constant = node.inputs[1],
      constantRooted[constant.index], !constantRooted[other.index],
      let extents = extents(constant), extents.count == 2,
      let first = extents[0], let second = extents[1]
    else { return nil }
    let attributes = Dictionary(
      node.op.attributes.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 })
    guard attributes["transposeA"] != .boolean(true) else { return nil }
    let transposed = attributes["transposeB"] == .boolean(true)
    var alpha = 1.0
    if case .float(let value) = attributes["alpha"] { alpha = Double(value) }
    return ConstantProduct(
      other: other, rows: transposed ? second : first, columns: transposed ? first : second,
      alpha: alpha)
  }

  /// Whether a value is something divided by its own norm.
  func isNormalised(_ value: ValueID) -> Bool {
    var value = value
    while let node = graph.producer(of: value), let passed = carried(by: node) { value = passed }
    guard let node = graph.producer(of: value) else { return false }
    guard kind(node) == "Div", node.inputs.count == 2, var divisor = node.inputs[1] else {
      return kind(node) == "LpNormalization"
    }
    let steps: Set = ["Expand", "Clip", "Max", "Sqrt", "Add", "Identity", "Reshape", "Unsqueeze"]
    while let step = graph.producer(of: divisor) {
      switch kind(step) {
      case "ReduceL2", "ReduceSumSquare": return step.inputs.first == node.inputs[0]
      case let kind where steps.contains(kind):
        guard let next = step.inputs.first.flatMap({ $0 }) else { return false }
        divisor = next
      default: return false
      }
    }
    return false
  }
}
