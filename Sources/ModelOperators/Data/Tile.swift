import ModelIR
import TensorCore

/// X again and again along each axis, as often as operand 1 says. ONNX Tile 6–13.
package struct Tile: Operator {
  package static let name = "Tile"
  package init() {}
}

// MARK: - Types

extension Tile {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(2...2)
    let x = try inputs.required(0)
    let repeats = try inputs.required(1)
    guard repeats.element == .int64 else {
      throw ModelError(.typeMismatch, "TI1: repetitions of \(repeats.element), not int64")
    }
    let dimensions = try x.dimensions()
    guard let counts = repeats.extents else {
      return [x.type.with(dimensions: dimensions.map { _ in .unknown })]
    }
    guard counts.count == dimensions.count else {
      throw ModelError(
        .shapeMismatch, "TI2: \(counts.count) repetitions for \(dimensions.count) axes")
    }
    for count in counts where count.value ?? 0 < 0 {
      throw ModelError(.invalidValue, "TI3: \(count) repetitions")
    }
    return [
      x.type.with(dimensions: zip(dimensions, counts).map { Flatten.product([$0, $1]) })
    ]
  }
}

// MARK: - Reference

extension Tile: ViewOperator {
  package func views(
    of source: StridedView, _ operands: Operands<Fact>
  ) throws(ModelError) -> [StridedView] {
    var view = source
    let counts = try operands.required(1).integers()
    guard counts.count == view.axes.count, counts.allSatisfy({ $0 >= 0 }) else {
      throw ModelError(.invalidValue, "TI2: \(counts) repetitions for \(view.axes.count) axes")
    }
    for (axis, count) in counts.enumerated() {
      view.axes[axis].insert(.init(extent: count, stride: 0), at: 0)
    }
    return [view]
  }
}

// MARK: - Import

extension Tile: ImportableOperator {
  package static let importers = [Importer("Tile", 6...newestOpset) { _ in Tile() }]
}

// MARK: - Gradient

extension Tile: DifferentiableOperator {
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    let (shape, tiled) = (try site.operand(0).shape, try site.gradient().shape)
    let split = (0..<shape.rank).flatMap {
      [shape[$0] == 0 ? 0 : tiled[$0] / shape[$0], shape[$0]]
    }
    let sum = try site.gradient().reshaped(to: split).sum((0..<shape.rank).map { 2 * $0 })
    return [try sum.reshaped(to: shape)]
  }
}
