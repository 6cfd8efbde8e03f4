import ModelIR
import TensorCore

/// The extents of X from axis `start` to before axis `end`, as int64. ONNX Shape 1–25.
package struct ShapeOf: Operator {
  package static let name = "Shape"
  package static let fields = [Field("start", \ShapeOf.start), Field("end", \ShapeOf.end)]

  /// Counted from the end where negative; clamped to the rank.
  package var start = 0
  /// As ``start``; nil for the rank.
  package var end: Int?

  package init() {}
  package init(start: Int, end: Int?) {
    self.start = start
    self.end = end
  }

  private func range(rank: Int) -> Range<Int> {
    func axis(_ index: Int) -> Int { min(max(index < 0 ? index + rank : index, 0), rank) }
    let first = axis(start)
    return first..<max(first, end.map(axis) ?? rank)
  }
}

// MARK: - Types

extension ShapeOf {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(1...1)
    guard let rank = try inputs.required(0).type.rank else {
      return [TensorType(.int64, [.unknown])]
    }
    return [TensorType(.int64, [.fixed(range(rank: rank).count)])]
  }

  package func outputElements(_ inputs: Operands<Fact>) throws(ModelError) -> [ElementType] {
    [.int64]
  }

  package func extents(_ inputs: Operands<Fact>) -> [Dimension]? {
    guard let dimensions = inputs.optional(0)?.type.dimensions else { return nil }
    return Array(dimensions[range(rank: dimensions.count)])
  }
}

// MARK: - Reference

extension ShapeOf {
  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let shape = try inputs.required(0).shape
    return [Tensor(vector: shape.dimensions[range(rank: shape.rank)].map { Int64($0) })]
  }
}

// MARK: - Import

extension ShapeOf: ImportableOperator {
  package static let importers = [
    Importer("Shape", 1...newestOpset) { node throws(ModelError) in
      ShapeOf(start: try node.attribute("start", default: 0), end: try node.optional("end"))
    }
  ]
}
