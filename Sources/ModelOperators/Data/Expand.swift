import ModelIR
import TensorCore

/// X broadcast with the shape that operand 1 holds. ONNX Expand 8–13.
package struct Expand: Operator {
  package static let name = "Expand"
  package init() {}
}

// MARK: - Types

extension Expand {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(2...2)
    let x = try inputs.required(0)
    let target = try inputs.required(1)
    guard target.element == .int64 else {
      throw ModelError(.typeMismatch, "EX1: the shape is \(target.element), not int64")
    }
    let dimensions = try x.dimensions()
    guard let extents = target.extents else {
      guard let rank = target.type.shape?.count, target.type.rank == 1 else {
        throw ModelError(.unknownShape, "the target shape is not known")
      }
      guard rank <= Shape.maximumRank else {
        throw ModelError(.limitExceeded, "EX2: a rank of \(rank)")
      }
      return [
        x.type.with(
          dimensions: [Dimension](repeating: .unknown, count: max(rank, dimensions.count)))
      ]
    }
    for case .fixed(let extent) in extents where extent < 0 {
      throw ModelError(.invalidValue, "EX2: extent \(extent)")
    }
    return [x.type.with(dimensions: try broadcast(dimensions, extents))]
  }

  package func extents(_ inputs: Operands<Fact>) -> [Dimension]? {
    guard let x = inputs.optional(0)?.extents, let shape = inputs.optional(1)?.extents,
      shape.count == 1, let count = shape[0].value, (0...64).contains(count)
    else { return nil }
    return x.count == 1 ? [Dimension](repeating: x[0], count: max(count, 1)) : x
  }
}

// MARK: - Reference

extension Expand: ViewOperator {
  package func views(
    of source: StridedView, _ operands: Operands<Fact>
  ) throws(ModelError) -> [StridedView] {
    let target = try operands.required(1).integers()
    guard target.count <= Shape.maximumRank, target.allSatisfy({ $0 >= 0 }) else {
      throw ModelError(.invalidValue, "EX2: extents \(target)")
    }
    let rank = max(target.count, source.axes.count)
    var view = source
    view.axes = try (0..<rank).map { (axis) throws(ModelError) in
      let own = axis - (rank - source.axes.count)
      let wanted = axis - (rank - target.count)
      let extent = wanted < 0 ? 1 : target[wanted]
      guard own >= 0 else { return [.init(extent: extent, stride: 0)] }
      let factor = source.axes[own][0]
      guard factor.extent == 1 || extent == 1 || factor.extent == extent else {
        throw ModelError(.shapeMismatch, "BR2: extents \(factor.extent) and \(extent)")
      }
      return factor.extent == 1 ? [.init(extent: extent, stride: 0)] : [factor]
    }
    return [view]
  }
}

// MARK: - Import

extension Expand: ImportableOperator {
  package static let importers = [Importer("Expand", 8...newestOpset) { _ in Expand() }]
}

// MARK: - Gradient

extension Expand: DifferentiableOperator {
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    [try site.gradient().reduced(to: site.operand(0).shape)]
  }
}
