import ModelIR
import ModelOperators
import TensorCore

/// Float constants that need no floats: embeddings, positions and other tables whose rows are looked up, cut out or added
/// (`Q69`).
struct ConstantTables {
  /// Smaller ones are not worth a conversion.
  static let leastCount = 256

  /// The axis of a table's rows.
  private let axes: [ValueID: Int]

  /// - Parameter keptFloat: names of nodes that read constants as they are.
  init(_ graph: Graph, keptFloat: Set<String>) {
    var readers: [ValueID: [Node]] = [:]
    for node in graph.nodes {
      for case let input? in Set(node.inputs) where graph.constant(input) != nil {
        readers[input, default: []].append(node)
      }
    }
    let outputs = Set(graph.outputs.map(\.value))
    axes = readers.reduce(into: [:]) { axes, entry in
      let (id, nodes) = entry
      guard !outputs.contains(id), let constant = graph.constant(id),
        constant.element == .float32, constant.count >= Self.leastCount,
        let axis = constant.shape.dimensions.firstIndex(where: { $0 > 1 }),
        constant.shape[axis] < constant.count,
        nodes.allSatisfy({ !keptFloat.contains($0.name) && Self.takesRows($0, of: id) }),
        constant.withElements(of: Float.self, { $0.allSatisfy(\.isFinite) })
      else { return }
      axes[id] = axis
    }
  }

  /// What the node does with a table is as exact as the table, or quantizes it anyway.
  private static func takesRows(_ node: Node, of id: ValueID) -> Bool {
    switch node.op {
    case is Add: true
    case is any MovingOperator: node.inputs[0] == id
    case is any WeightedOperator: node.inputs[1] == id && node.inputs[0] != id
    default: false
    }
  }

  /// The axis of the rows of a table; nil for other values.
  func axis(_ id: ValueID) -> Int? { axes[id] }

  /// A node that gathers whole rows of a table.
  func isLookup(_ node: Node) -> Bool {
    guard let op = node.op as? Gather, let table = node.inputs[0], let axis = axes[table] else {
      return false
    }
    return op.axis == axis
  }
}
