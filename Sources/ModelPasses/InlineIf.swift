import ModelIR
import ModelOperators
import TensorCore

/// An If whose condition is known, by the branch that it chooses.
///
///     %1 = If(true, %x) then { input %x; %y = Relu(%x); output %y } …    →    %1 = Relu(%x)
///
/// Exact.
package struct InlineIf: Rewrite {
  package static let name = "inline-if"
  package init() {}

  package func replacement(
    for node: Node, at site: inout RewriteSite
  ) throws(ModelError) -> [ValueID]? {
    guard let op = node.op as? If, let branch = op.branch(site.constant(0)) else { return nil }
    let captures = site.operands.dropFirst().compactMap(\.self)
    return try site.graph.append(
      contentsOf: branch, on: captures, outputNames: site.outputNames)
  }
}
