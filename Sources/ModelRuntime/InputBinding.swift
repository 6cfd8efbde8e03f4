import ModelIR
import TensorCore

extension Graph {
  /// Checks tensors against the graph's inputs.
  ///
  /// - Throws: `invalid-value` for a wrong count; `type-mismatch` or `shape-mismatch` naming the input,
  ///   the dimension and what is allowed. A symbol has one extent across all inputs.
  package func bind(_ tensors: [Tensor]) throws(ModelError) {
    guard tensors.count == inputs.count else {
      let names = inputs.map { "'\($0.name)'" }.joined(separator: ", ")
      throw ModelError(
        .invalidValue, "\(tensors.count) inputs given, \(inputs.count) needed: \(names)")
    }
    var extents: [String: (value: Int, input: String)] = [:]
    for (port, tensor) in zip(inputs, tensors) {
      let type = type(port.value)
      guard tensor.element == type.element else {
        throw ModelError(
          .typeMismatch, "input '\(port.name)' is \(tensor.element); \(type.element) is needed")
      }
      guard let dimensions = type.dimensions else { continue }
      guard tensor.shape.rank == dimensions.count else {
        throw ModelError(
          .shapeMismatch,
          "input '\(port.name)' has shape \(tensor.shape); \(type) is needed")
      }
      for (axis, dimension) in dimensions.enumerated() {
        let extent = tensor.shape[axis]
        switch dimension {
        case .fixed(let value) where value != extent:
          throw ModelError(
            .shapeMismatch,
            "input '\(port.name)' has extent \(extent) on axis \(axis); \(value) is needed")
        case .symbol(let name):
          if let bound = extents[name], bound.value != extent {
            throw ModelError(
              .shapeMismatch,
              "input '\(port.name)' has extent \(extent) on axis \(axis), but '\(name)' is "
                + "\(bound.value) in input '\(bound.input)'")
          }
          extents[name] = (extent, port.name)
        default: break
        }
      }
    }
  }
}
