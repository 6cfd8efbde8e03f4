import ModelIR
import TensorCore

/// Constants that a node's graphs capture, into the graphs; and captures that none of them reads, away.
///
///     %1 = If(%c, w) then { input %w; … Relu(%w) … }    →    %1 = If(%c) then { constant %w; … Relu(%w) … }
///
/// Exact: a captured value is what the graph reads. The constants are then seen by every pass within it. Left
/// alone: branches that a constant does not fit, which are never taken.
package struct FoldCaptures: Rewrite {
  package static let name = "fold-captures"
  package init() {}

  package func replacement(
    for node: Node, at site: inout RewriteSite
  ) throws(ModelError) -> [ValueID]? {
    guard let op = node.op as? any GraphOperator else { return nil }
    let first = site.operands.count - op.captureCount
    let isRead = (first..<site.operands.count).map { operand in
      op.graphs.contains { _, inner in
        let value = inner.inputs[operand - first + op.formalInputs].value
        return inner.useCounts()[value.index] > 0
      }
    }
    let kept = (first..<site.operands.count).filter {
      isRead[$0 - first] && site.constant($0) == nil
    }
    guard kept.count < op.captureCount else { return nil }
    let graph = site.graph
    let operands = site.operands
    let changed = try? op.mappingGraphs { (_, inner) throws(ModelError) in
      let formals = inner.inputs.prefix(op.formalInputs)
      var inputs = formals.map { (name: $0.name, type: inner.type($0.value)) }
      var sources = formals.indices.map { Graph.InputSource.input($0) }
      for operand in first..<operands.count {
        let port = inner.inputs[operand - first + op.formalInputs]
        if let constant = operands[operand].flatMap({ graph.constant($0) }) {
          sources.append(.constant(constant))
        } else if kept.contains(operand) {
          sources.append(.input(inputs.count))
          inputs.append((port.name, inner.type(port.value)))
        } else {
          // Nobody reads it, so any value will do.
          sources.append(.constant(Tensor(scalar: false)))
        }
      }
      return try inner.replacingInputs(inputs, sources: sources).withoutDeadCode()
    }
    guard let changed else { return nil }
    return try site.replace(
      node, by: changed, to: operands.prefix(first) + kept.map { operands[$0] })
  }
}
