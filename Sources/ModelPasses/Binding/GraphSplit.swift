import ModelIR
import ModelOperators
import TensorCore

/// Which values of a graph depend on bound inputs alone.
struct GraphSplit {
  private enum Dependence {
    case nothing
    /// The extents of other inputs.
    case extents
    /// Bound inputs.
    case bound
    /// Bound inputs, and how many rows there are.
    case rows
    /// Other inputs.
    case open
  }

  private let values: [Dependence]
  private let nodes: [Dependence]
  /// What depends on bound inputs alone and is read by what does not, or an output.
  let frontier: [ValueID]

  /// - Parameter kept: nodes whose results have no rule for any number of rows.
  /// - Throws: `unsupported-feature` where a node that stays would reckon with nothing but bound inputs and a number of rows:
  ///   plans do that otherwise than runs.
  init(_ graph: Graph, bound: Set<String>, kept: Set<Int>) throws(ModelError) {
    var values = [Dependence](repeating: .nothing, count: graph.values.count)
    for port in graph.inputs {
      values[port.value.index] = bound.contains(port.name) ? .bound : .open
    }
    var nodes: [Dependence] = []
    var read = Set(graph.outputs.map(\.value))
    for (index, node) in graph.nodes.enumerated() {
      let operands = Set(node.inputs.compactMap { $0.map { values[$0.index] } })
      let own: Dependence
      if !node.op.isDeterministic || node.outputs.contains(where: { graph.type($0).isSequence }) {
        own = .open
      } else if node.op is ShapeOf, operands.contains(.open) || operands.contains(.rows) {
        own = .extents
      } else if operands.contains(.open) {
        own = .open
      } else if operands.contains(.rows)
        || operands.contains(.bound) && (operands.contains(.extents) || kept.contains(index))
      {
        let isExact =
          node.op is any MovingOperator || node.op is Concat
          || node.outputs.allSatisfy { graph.type($0).element.isInteger }
        guard isExact else {
          throw ModelError(
            .unsupportedFeature,
            "'\(node.name)' reckons with all rows of what is bound: bind as many as there will be")
        }
        own = .rows
      } else {
        own =
          operands.contains(.bound) ? .bound : operands.contains(.extents) ? .extents : .nothing
      }
      nodes.append(own)
      for output in node.outputs { values[output.index] = own }
      if own != .bound { read.formUnion(node.inputs.compactMap(\.self)) }
    }
    self.values = values
    self.nodes = nodes
    frontier = read.filter { values[$0.index] == .bound }.sorted()
  }

  func isBound(_ id: ValueID) -> Bool { values[id.index] == .bound }
  func isOpen(_ id: ValueID) -> Bool { values[id.index] == .open }
  func isBound(node index: Int) -> Bool { nodes[index] == .bound }
}
