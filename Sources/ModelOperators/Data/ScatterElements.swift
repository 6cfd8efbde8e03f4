import ModelIR
import TensorCore

/// X with updates written (or added …) at positions whose coordinate along `axis` comes from the
/// indices. Operands: X, indices, updates, the last two of one shape. ONNX ScatterElements 11–18 and
/// Scatter 9.
package struct ScatterElements: Operator {
  package static let name = "ScatterElements"
  package static let fields = [
    Field("axis", \ScatterElements.axis), Field("reduction", \ScatterElements.reduction),
  ]

  /// Counted from the end where negative.
  package var axis = 0
  package var reduction = ScatterReduction.none

  package init() {}
  package init(axis: Int, reduction: ScatterReduction = .none) {
    self.axis = axis
    self.reduction = reduction
  }

  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(3...3)
    let x = try inputs.required(0)
    let indices = try inputs.required(1)
    let updates = try inputs.required(2)
    try indices.expectIndices("SE1", "indices")
    guard updates.element == x.element else {
      throw ModelError(.typeMismatch, "SE2: updates of \(updates.element) for \(x.element)")
    }
    if let first = indices.type.shape, let second = updates.type.shape, first != second {
      throw ModelError(.shapeMismatch, "SE3: indices of \(first), updates of \(second)")
    }
    if let rank = x.type.rank {
      guard rank > 0, indices.type.rank ?? rank == rank else {
        throw ModelError(.shapeMismatch, "SE4: indices of another rank than \(rank)")
      }
      _ = try Shape.resolve(axis: axis, rank: rank)
    }
    return [x.type]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    let places = try GatherElements.places(inputs.required(1), in: x.shape, axis)
    return [reduction.scatter(try inputs.required(2), at: places, into: x)]
  }
}

// MARK: - Kernel

extension ScatterElements: PlannedOperator {
  /// For float32 that is set or summed, by indices that are as wide as X across the axis.
  package func kernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    let x = try request.operands.required(0)
    let indices = try request.operands.required(1)
    let axis = try Shape.resolve(axis: axis, rank: x.shape.rank)
    let (outer, inner) = (x.shape.count(0..<axis), x.shape.count(axis + 1..<x.shape.rank))
    guard x.fact.element == .float32, reduction == .none || reduction == .add,
      x.shape.dimensions.indices.allSatisfy({ $0 == axis || indices.shape[$0] == x.shape[$0] })
    else { return nil }
    let (extent, count, sums) = (x.shape[axis], indices.shape[axis], reduction == .add)
    let isWide = indices.fact.element == .int64
    return PlannedKernel(overwritableOperands: [0]) { (frame) throws(ModelError) in
      let (updates, y) = (frame.input(2, as: Float.self), frame.output(0, as: Float.self))
      let old = frame.input(0, as: Float.self)
      if old != UnsafePointer(y) { y.update(from: old, count: outer * extent * inner) }
      var place = 0
      for block in 0..<outer {
        for _ in 0..<count {
          for column in 0..<inner {
            let index = Gather.index(frame, place, isWide: isWide)
            let row = block * extent + (try Gather.position(index, of: extent))
            let target = row * inner + column
            y[target] = sums ? y[target] + updates[place] : updates[place]
            place += 1
          }
        }
      }
    }
  }
}

// MARK: - Import

extension ScatterElements: ImportableOperator {
  package static let importers = [
    Importer("Scatter", 9...10) { node throws(ModelError) in
      ScatterElements(axis: try node.attribute("axis", default: 0))
    },
    Importer("ScatterElements", 11...newestOpset) { node throws(ModelError) in
      ScatterElements(
        axis: try node.attribute("axis", default: 0),
        reduction: try node.attribute("reduction", default: ScatterReduction.none))
    },
  ]
}
