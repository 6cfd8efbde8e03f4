import ModelIR
import TensorCore

/// X without the axes of extent 1 that operand 1 names; without operand 1, without any. ONNX Squeeze
/// 1–25 (before 13 the axes are an attribute).
package struct Squeeze: Operator {
  package static let name = "Squeeze"
  package init() {}
}

// MARK: - Types

extension Squeeze {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(1...2)
    let x = try inputs.required(0)
    let dimensions = try x.dimensions()
    guard let axes = inputs.optional(1) else {
      guard let shape = x.type.shape else {
        throw ModelError(.unknownShape, "which extents are 1 is not known")
      }
      return [x.type.with(dimensions: shape.dimensions.filter { $0 != 1 }.map { .fixed($0) })]
    }
    try axes.expectIndices("SQ1", "axes")
    let dropped = try resolve(axes: axes.integers(), rank: dimensions.count, "SQ2")
    for axis in dropped where dimensions[axis].value ?? 1 != 1 {
      throw ModelError(.shapeMismatch, "SQ3: axis \(axis) has extent \(dimensions[axis]), not 1")
    }
    let kept = dimensions.indices.filter { !dropped.contains($0) }
    return [x.type.with(dimensions: kept.map { dimensions[$0] })]
  }

  package func extents(_ inputs: Operands<Fact>) -> [Dimension]? { inputs.optional(0)?.extents }
}

// MARK: - Reference

extension Squeeze {
  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    try reshaped(inputs)
  }
}

extension Squeeze: RelabellingOperator {}

// MARK: - Import

extension Squeeze: ImportableOperator {
  package static let importers = [
    Importer("Squeeze", 1...12) { (node, graph) throws(ModelError) in
      let axes = try node.optional("axes", as: [Int].self)
      return try node.append(
        Squeeze(), on: node.operands(adding: axes, as: "axes", at: 1, in: &graph), to: &graph)
    },
    Importer("Squeeze", 13...newestOpset) { _ in Squeeze() },
  ]
}

// MARK: - Gradient

extension Squeeze: DifferentiableOperator {
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    [try site.gradient().reshaped(to: site.operand(0).shape)]
  }
}
