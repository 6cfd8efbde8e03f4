import ModelIR
import TensorCore

/// An output that is an input of the next run: the state of a model that hears or sees a piece at a time.
package struct CarriedState: Sendable {
  package let output: String
  package let input: String

  package init(output: String, input: String) {
    self.output = output
    self.input = input
  }

  /// - Throws: `usage` for a name that the graph's ports do not have.
  static func check(_ states: [CarriedState], _ graph: Graph) throws(ModelError) {
    for state in states {
      guard graph.outputs.contains(where: { $0.name == state.output }) else {
        throw ModelError(
          .usage,
          "the model has no output '\(state.output)' to carry; it has "
            + graph.outputs.map(\.name).joined(separator: ", "))
      }
      guard graph.inputs.contains(where: { $0.name == state.input }) else {
        throw ModelError(
          .usage,
          "the model has no input '\(state.input)' to carry into; it has "
            + graph.inputs.map(\.name).joined(separator: ", "))
      }
    }
  }
}
