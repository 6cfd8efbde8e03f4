import ModelIR
import TensorCore

/// Axis i of the result is axis `permutation`[i] of X; without a permutation the axes are reversed.
/// ONNX Transpose 1–25.
package struct Transpose: Operator {
  package static let name = "Transpose"
  package static let fields = [Field("perm", \Transpose.permutation)]

  package var permutation: [Int]?

  package init() {}
  package init(_ permutation: [Int]?) { self.permutation = permutation }

  /// The axes of X in the order of the result.
  package func order(rank: Int) throws(ModelError) -> [Int] {
    guard let permutation else { return (0..<rank).reversed() }
    let order = permutation.map { $0 < 0 ? $0 + rank : $0 }
    guard order.sorted() == Array(0..<rank) else {
      throw ModelError(.invalidValue, "TP1: \(permutation) does not permute \(rank) axes")
    }
    return order
  }
}

// MARK: - Types

extension Transpose {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(1...1)
    let x = try inputs.required(0)
    let dimensions = try x.dimensions()
    return [x.type.with(dimensions: try order(rank: dimensions.count).map { dimensions[$0] })]
  }
}

// MARK: - Reference

extension Transpose: ViewOperator {
  package func views(
    of source: StridedView, _ operands: Operands<Fact>
  ) throws(ModelError) -> [StridedView] {
    [
      StridedView(
        offset: source.offset,
        axes: try order(rank: source.axes.count).map { source.axes[$0] })
    ]
  }
}

// MARK: - Import

extension Transpose: ImportableOperator {
  package static let importers = [
    Importer("Transpose", 1...newestOpset) { node throws(ModelError) in
      Transpose(try node.optional("perm"))
    }
  ]
}

// MARK: - Gradient

extension Transpose: DifferentiableOperator {
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    let gradient = try site.gradient()
    let order = try order(rank: gradient.shape.rank)
    return [try gradient.transposed(order.indices.sorted { order[$0] < order[$1] })]
  }
}
