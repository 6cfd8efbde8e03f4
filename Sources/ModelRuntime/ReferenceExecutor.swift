import ModelIR
import TensorCore

/// Runs a graph by the operators' references: plain loops in topological order, slow and obviously
/// right. Quantized nodes run in exact integers.
package struct ReferenceExecutor: Sendable {
  package let graph: Graph

  package init(_ graph: Graph) { self.graph = graph }

  /// - Parameters:
  ///   - inputs: one tensor for each graph input, in order.
  ///   - observe: called with the output of every node as it is made.
  /// - Returns: one tensor for each graph output, in order.
  package func run(
    _ inputs: [Tensor],
    observe: (ValueID, Tensor) throws(ModelError) -> Void = { (_, _) throws(ModelError) in }
  ) throws(ModelError) -> [Tensor] {
    try graph.evaluate(inputs, observe: observe)
  }
}
