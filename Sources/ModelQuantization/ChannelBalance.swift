import ModelIR
import ModelOperators
import ModelPasses
import TensorCore

/// How channels of one activation are brought to like ranges before it gets its one scale (`Q58`).
package enum ChannelBalance: String, Sendable, Codable, CaseIterable {
  case none
  /// Factors between layers with weights.
  case layers
  /// Factors also between normalisations and layers with weights.
  case everywhere
}

extension ChannelSurvey {
  /// The graph that computes the same with balanced channels; nil where nothing can be balanced.
  package func balanced() throws(ModelError) -> Graph? { try BalancedGraph(self).graph }
}

/// The graph that computes the same as a surveyed one, with channels divided by factors that weights make up for.
struct BalancedGraph {
  /// Nil where every factor is 1.
  private(set) var graph: Graph?
  private let source: Graph
  private let groups: ChannelGroups
  /// The factor of each group.
  private var factors: [Int: Double] = [:]

  init(_ survey: borrowing ChannelSurvey) throws(ModelError) {
    source = survey.graph
    groups = survey.groups
    let shares = BalancedGraph.activationShares(survey.greatest, groups)
    let weights = BalancedGraph.weightShares(source, groups)
    for (group, share) in shares {
      guard let weight = weights[group], share > 0, weight > 0 else { continue }
      factors[group] = min(max((share / weight).squareRoot(), 0x1p-8), 0x1p8)
    }
    guard !factors.isEmpty else { return }
    graph = try rebuilt()
  }

  /// The greatest magnitude of each group as a share of that of the value that it is part of.
  private static func activationShares(
    _ greatest: [ValueID: [Float]], _ groups: ChannelGroups
  ) -> [Int: Double] {
    var shares: [Int: Double] = [:]
    for id in groups.values {
      guard let channels = greatest[id], let most = channels.max(), most > 0 else { continue }
      for (channel, magnitude) in channels.enumerated() {
        guard let group = groups.group(id, channel) else { continue }
        shares[group] = max(shares[group] ?? 0, Double(magnitude) / Double(most))
      }
    }
    return shares
  }

  /// The greatest weight that reads each group as a share of the greatest of its row.
  private static func weightShares(_ graph: Graph, _ groups: ChannelGroups) -> [Int: Double] {
    var shares: [Int: Double] = [:]
    for id in groups.values {
      for reader in groups.readers[id] ?? [] {
        let node = graph.nodes[reader.node]
        for place in reader.weights {
          guard let weight = node.input(place).flatMap({ graph.constant($0) }) else { continue }
          let layouts = BalancedGraph.layouts(node.op, weight.shape)
          let values = weight.floats()
          var rows = [Float](repeating: 0, count: layouts.outputs.count)
          for (flat, value) in values.enumerated() {
            let row = layouts.outputs.channel(of: flat)
            rows[row] = max(rows[row], abs(value))
          }
          for (flat, value) in values.enumerated() where value != 0 {
            guard let group = groups.group(id, layouts.inputs.channel(of: flat)) else { continue }
            let share = Double(abs(value)) / Double(rows[layouts.outputs.channel(of: flat)])
            if share > shares[group] ?? 0 { shares[group] = share }
          }
        }
      }
    }
    return shares
  }

  /// How a weight's elements belong to what its layer reads and makes.
  private static func layouts(
    _ op: any Operator, _ shape: Shape
  ) -> (inputs: ChannelLayout, outputs: ChannelLayout) {
    if let op = op as? any FoldableOperator { return (op.inputs(of: shape), op.outputs(of: shape)) }
    // Of a recurrent layer: directions, rows of all gates, features.
    let rows = shape.count(0..<2)
    return (
      ChannelLayout(rows: rows, channels: shape[2]), ChannelLayout(channels: rows, inner: shape[2])
    )
  }

  // MARK: The graph anew

  private func factors(of id: ValueID?) -> [Double]? {
    guard let id, groups.axes[id] != nil else { return nil }
    let own = (0..<groups.count(id)).map { channel in
      groups.group(id, channel).flatMap { factors[$0] } ?? 1
    }
    return own.contains { $0 != 1 } ? own : nil
  }

  private func rebuilt() throws(ModelError) -> Graph {
    var target = Graph()
    target.metadata = source.metadata
    var places = [ValueID?](repeating: nil, count: source.values.count)
    for port in source.inputs {
      places[port.value.index] = try target.addInput(port.name, source.type(port.value))
    }
    for node in source.nodes {
      var operands: [ValueID?] = []
      for (place, operand) in node.inputs.enumerated() {
        guard let operand else {
          operands.append(nil)
          continue
        }
        if let constant = source.constant(operand), source.producer(of: operand) == nil {
          let changed = try balanced(constant, place, of: node)
          if changed == nil, let known = places[operand.index] {
            operands.append(known)
            continue
          }
          let made = target.addConstant(changed ?? constant, named: source[operand].name)
          if changed == nil { places[operand.index] = made }
          operands.append(made)
        } else {
          operands.append(places[operand.index])
        }
      }
      let made = try target.append(
        node.op, named: node.name, to: operands, origin: node.origin,
        // Other numbers under the same name would be compared with those of the float graph.
        outputNames: node.outputs.map { id in
          source[id].name + (factors(of: id) == nil ? "" : ".balanced")
        })
      for (old, new) in zip(node.outputs, made) { places[old.index] = new }
    }
    for port in source.outputs {
      guard let value = places[port.value.index] else {
        throw ModelError(.invalidGraph, "'\(port.name)' is not made by a node")
      }
      try target.addOutput(port.name, value)
    }
    return target
  }

  /// A constant operand with the factors of what its node reads and makes; nil where there are none.
  private func balanced(
    _ constant: Tensor, _ place: Int, of node: Node
  ) throws(ModelError) -> Tensor? {
    let made = factors(of: node.outputs.first)
    let starts = node.op is any FoldableOperator || node.op is LayerNormalization
    if place == 1 || place == 2, starts, let made, !(place == 1 && node.op is any FoldableOperator)
    {
      return try ChannelLayout(channels: made.count).scale(constant, by: made.map { 1 / $0 })
    }
    guard place == 1, node.op is any FoldableOperator || node.op is any IntegerRecurrentOperator
    else { return nil }
    let layouts = BalancedGraph.layouts(node.op, constant.shape)
    var weight = constant
    if let read = factors(of: node.input(0)) { weight = try layouts.inputs.scale(weight, by: read) }
    if starts, let made {
      weight = try layouts.outputs.scale(weight, by: made.map { 1 / $0 })
    }
    return weight
  }
}
