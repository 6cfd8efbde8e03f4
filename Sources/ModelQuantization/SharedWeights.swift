import ModelIR
import ModelOperators

/// Which layers have the same weights, so that these are rounded in one way for all of them and stored once (`Q70`, `Q57`).
struct SharedWeights: Sendable {
  private struct Weights: Hashable {
    let id: ValueID
    let channelAxis: Int
  }

  private let firsts: [Weights: String]

  init(_ graph: Graph) {
    var firsts: [Weights: String] = [:]
    for node in graph.nodes {
      if let weights = Self.weights(of: node), firsts[weights] == nil {
        firsts[weights] = node.name
      }
    }
    self.firsts = firsts
  }

  /// The name of the first layer with the weights of `node`: its own where it shares them with none before it.
  func firstLayer(like node: Node) -> String {
    Self.weights(of: node).flatMap { firsts[$0] } ?? node.name
  }

  private static func weights(of node: Node) -> Weights? {
    guard let op = node.op as? any WeightedOperator, let id = node.inputs[1] else { return nil }
    return Weights(id: id, channelAxis: op.weightChannelAxis)
  }
}
