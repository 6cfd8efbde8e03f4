import ModelIR
import TensorCore

extension ForeignNode {
  /// Appends `op(axis)` of operand 0 as opsets before 13 mean it: over all axes from `axis` on, as if they
  /// were one. Where `axis` is the last one that is the operator itself; elsewhere it works between two
  /// reshapes.
  func appendFlattened(
    to graph: inout Graph, _ op: (_ axis: Int) -> any Operator
  ) throws(ModelError) -> [ValueID] {
    let x = try required(0)
    let given = try attribute("axis", default: 1)
    guard let dimensions = graph.type(x).dimensions else {
      throw ModelError(.unknownShape, "\(kind) over flattened axes of an unknown rank")
    }
    let axis = try Shape.resolve(axis: given, rank: dimensions.count)
    if axis >= dimensions.count - 1 { return try append(op(-1), on: [x], to: &graph) }
    let inner = dimensions[axis...]
    guard inner.filter({ $0.value == nil }).count <= 1 else {
      throw ModelError(
        .unsupportedFeature, "\(kind) over \(inner.count) axes of unknown extents as if one")
    }
    let copies = [Int64](repeating: 0, count: axis)
    let flat = try graph.appendOne(
      Reshape(), named: "\(name).flat",
      to: [x, constant(Tensor(vector: copies + [-1]), "flat.shape", in: &graph)], origin: origin)
    let result = try graph.appendOne(
      op(-1), named: "\(name).flat.result", to: [flat], origin: origin)
    let extents = copies + inner.map { Int64($0.value ?? -1) }
    return try append(
      Reshape(),
      on: [result, constant(Tensor(vector: extents), "shape", in: &graph)], to: &graph)
  }
}
