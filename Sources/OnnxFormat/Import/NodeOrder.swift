import TensorCore

/// Puts nodes into topological order.
enum NodeOrder {
  /// The nodes in file order where that is topological; else each node right after what it reads.
  ///
  /// - Throws: `invalid-graph` where two nodes make one value, or nodes read each other in a circle.
  static func sorted(_ nodes: [OnnxNode]) throws(ModelError) -> [OnnxNode] {
    var producers: [String: Int] = [:]
    for (index, node) in nodes.enumerated() {
      for output in node.outputs where !output.isEmpty {
        if let other = producers.updateValue(index, forKey: output) {
          throw ModelError(
            .invalidGraph,
            "value '\(output)' is made twice, by '\(nodes[other].name)' and '\(node.name)'")
        }
      }
    }
    let reads = nodes.map { node in
      node.graphs.isEmpty ? node.inputs : node.reads.sorted()
    }
    let isSorted = nodes.indices.allSatisfy { index in
      reads[index].allSatisfy { (producers[$0] ?? -1) < index }
    }
    return isSorted ? nodes : try reordered(nodes, reads, producers)
  }

  private enum State { case untouched, open, done }

  private static func reordered(
    _ nodes: [OnnxNode], _ reads: [[String]], _ producers: [String: Int]
  ) throws(ModelError) -> [OnnxNode] {
    var states = [State](repeating: .untouched, count: nodes.count)
    var order: [OnnxNode] = []
    for start in nodes.indices where states[start] == .untouched {
      // The path from `start`, with the operand of each node that is next to be looked at.
      var path = [(node: start, operand: 0)]
      states[start] = .open
      while let (index, operand) = path.last {
        guard operand < reads[index].count else {
          states[index] = .done
          order.append(nodes[index])
          path.removeLast()
          continue
        }
        path[path.count - 1].operand += 1
        guard let producer = producers[reads[index][operand]] else { continue }
        switch states[producer] {
        case .done: break
        case .untouched:
          states[producer] = .open
          path.append((producer, 0))
        case .open:
          throw ModelError(
            .invalidGraph,
            "node '\(nodes[producer].name)' (\(nodes[producer].kind)) reads its own result; "
              + "a graph may not have cycles")
        }
      }
    }
    return order
  }
}
