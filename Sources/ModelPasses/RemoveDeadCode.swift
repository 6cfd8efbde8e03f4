import ModelIR
import TensorCore

/// Nodes and constants that no output depends on, away.
///
///     %1 = Relu(%x)
///     %2 = Tanh(%x)      →    %2 = Tanh(%x)
///     output %2               output %2
///
/// Exact. Inputs stay, read or not: they are the model's interface.
package struct RemoveDeadCode: Pass {
  package let name = "remove-dead-code"
  package init() {}

  package func run(on graph: Graph, limit: Int) throws(ModelError) -> Rewritten {
    var live = Set(graph.outputs.map(\.value))
    var dead: [String] = []
    for node in graph.nodes.reversed() {
      if node.outputs.contains(where: { live.contains($0) }) {
        for input in node.inputs { if let input { live.insert(input) } }
      } else {
        dead.append(node.name)
      }
    }
    guard !dead.isEmpty, limit > 0 else { return Rewritten(graph, sites: []) }
    return Rewritten(try graph.withoutDeadCode(), sites: dead.reversed())
  }
}
