import ModelIR

extension Graph {
  /// Values from which a way leads into one of those that `ends` names of a node: these, and all from which they are made.
  func valuesLeading(into ends: (Node) -> [ValueID?]) -> Set<ValueID> {
    var found: Set<ValueID> = []
    for node in nodes.reversed() {
      for case let end? in ends(node) { found.insert(end) }
      guard node.outputs.contains(where: found.contains) else { continue }
      for case let input? in node.inputs { found.insert(input) }
    }
    return found
  }
}
