import ModelIR
import TensorCore

/// X with axes of extent 1 put in where operand 1 says; axes count in the result. ONNX Unsqueeze 1–25
/// (before 13 the axes are an attribute).
package struct Unsqueeze: Operator {
  package static let name = "Unsqueeze"
  package init() {}
}

// MARK: - Types

extension Unsqueeze {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(2...2)
    let x = try inputs.required(0)
    let axes = try inputs.required(1)
    try axes.expectIndices("UQ1", "axes")
    let dimensions = try x.dimensions()
    let named = try axes.integers()
    let added = try resolve(axes: named, rank: dimensions.count + named.count, "UQ2")
    var left = dimensions[...]
    var result: [Dimension] = []
    for axis in 0..<dimensions.count + named.count {
      result.append(added.contains(axis) ? 1 : left.removeFirst())
    }
    return [x.type.with(dimensions: result)]
  }

  package func extents(_ inputs: Operands<Fact>) -> [Dimension]? {
    guard let x = inputs.optional(0), x.type.rank == 0 else { return nil }
    return x.extents
  }
}

// MARK: - Reference

extension Unsqueeze {
  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    try reshaped(inputs)
  }
}

extension Unsqueeze: RelabellingOperator {}

// MARK: - Import

extension Unsqueeze: ImportableOperator {
  package static let importers = [
    Importer("Unsqueeze", 1...12) { (node, graph) throws(ModelError) in
      let axes: [Int] = try node.required(attribute: "axes")
      return try node.append(
        Unsqueeze(), on: node.operands(adding: axes, as: "axes", at: 1, in: &graph), to: &graph)
    },
    Importer("Unsqueeze", 13...newestOpset) { _ in Unsqueeze() },
  ]
}

// MARK: - Gradient

extension Unsqueeze: DifferentiableOperator {
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    [try site.gradient().reshaped(to: site.operand(0).shape)]
  }
}
