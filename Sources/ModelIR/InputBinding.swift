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
    try check(zip(inputs, tensors).map { ($0, $1) })
  }

  /// As ``bind(_:)``, for some of the inputs.
  package func check(_ given: [(port: Port, tensor: Tensor)]) throws(ModelError) {
    var bound: [String: Bound] = [:]
    for (port, tensor) in given {
      let type = type(port.value)
      guard tensor.element == type.element else {
        throw ModelError(
          .typeMismatch,
          "input '\(port.name)' is of \(tensor.element.rawValue); \(type) is needed")
      }
      guard (tensor.members != nil) == type.isSequence else {
        throw ModelError(
          .typeMismatch, "input '\(port.name)' is \(tensor.type); \(type) is needed")
      }
      guard !type.isSequence, let dimensions = type.dimensions else { continue }
      guard tensor.shape.rank == dimensions.count else {
        throw ModelError(
          .shapeMismatch,
          "input '\(port.name)' has \(tensor.shape.rank) axes, \(tensor.shape); "
            + "\(dimensions.count) are needed: \(type)")
      }
      for (axis, dimension) in dimensions.enumerated() {
        let found = Bound(extent: tensor.shape[axis], input: port.name, axis: axis)
        switch dimension {
        case .fixed(let value) where value != found.extent:
          throw ModelError(
            .shapeMismatch, "\(found); \(value) is needed there, as in \(type)")
        case .symbol(let name):
          if let other = bound[name], other.extent != found.extent {
            throw ModelError(
              .shapeMismatch, "\(found), but \(other); '\(name)' is one extent: \(type)")
          }
          bound[name] = found
        default: break
        }
      }
    }
  }
}

/// An extent that an input was found to have.
private struct Bound: CustomStringConvertible {
  let extent: Int
  let input: String
  let axis: Int

  var description: String { "input '\(input)' has \(extent) on axis \(axis)" }
}
