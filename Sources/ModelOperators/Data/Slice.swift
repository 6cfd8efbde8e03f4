import ModelIR
import TensorCore

/// Every `step`th element from `start` to before `end` along some axes. Operands: X, starts, ends,
/// axes? (all, in order), steps? (1). Bounds count from the end where negative and are clamped; a
/// negative step walks backwards. ONNX Slice 1–13 (before 10 bounds and axes are attributes).
package struct Slice: Operator {
  package static let name = "Slice"
  package init() {}

  /// The indices that a slice of one axis visits.
  struct Walk {
    var start: Int
    var step: Int
    var count: Int

    init(start: Int, end: Int, step: Int, extent: Int) {
      func bound(_ value: Int, _ range: ClosedRange<Int>) -> Int {
        let index = value < 0 ? value.addingReportingOverflow(extent).partialValue : value
        return min(max(index, range.lowerBound), range.upperBound)
      }
      // A step over the whole axis is as good as any longer one, and strides multiplied by it stay in range.
      let step = min(max(step, -max(extent, 1)), max(extent, 1))
      self.step = step
      if step > 0 {
        self.start = bound(start, 0...extent)
        let end = bound(end, 0...extent)
        count = end > self.start ? (end - self.start - 1) / step + 1 : 0
      } else {
        self.start = extent == 0 ? 0 : bound(start, 0...extent - 1)
        let end = bound(end, -1...max(extent - 1, -1))
        count =
          self.start > end && extent > 0
          ? Int((self.start - end - 1).magnitude / step.magnitude) + 1 : 0
      }
    }
  }

  /// Bounds of one axis, as far as they are known.
  struct Bounds {
    let axis: Int
    let start: Int?
    let end: Int?
    let step: Int
  }
}

// MARK: - Types

extension Slice {
  /// The bounds of every axis that is sliced.
  ///
  /// - Throws: `unknown-shape` where it is not known which these are.
  static func bounds(_ operands: Operands<Fact>, rank: Int) throws(ModelError) -> [Bounds] {
    let starts = try operands.required(1)
    let ends = try operands.required(2)
    guard let count = starts.extents?.count ?? starts.type.shape?.count else {
      throw ModelError(.unknownShape, "the number of sliced axes is not known")
    }
    guard count <= rank else {
      throw ModelError(.shapeMismatch, "SL2: \(count) starts for \(rank) axes")
    }
    let named = try operands.optional(3)?.integers() ?? Array(0..<count)
    let steps = try operands.optional(4)?.integers() ?? [Int](repeating: 1, count: count)
    guard named.count == count, steps.count == count, ends.extents?.count ?? count == count
    else {
      throw ModelError(.shapeMismatch, "SL2: starts, ends, axes and steps differ in length")
    }
    guard !steps.contains(0) else { throw ModelError(.invalidValue, "SL3: a step of 0") }
    _ = try resolve(axes: named, rank: rank, "SL4")
    return (0..<count).map { index in
      Bounds(
        axis: named[index] < 0 ? named[index] + rank : named[index],
        start: starts.extents?[index].value, end: ends.extents?[index].value, step: steps[index])
    }
  }

  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(3...5)
    let x = try inputs.required(0)
    for index in 1...4 { try inputs.optional(index)?.expectIndices("SL1", "operand \(index)") }
    var dimensions = try x.dimensions()
    let all: [Bounds]
    do {
      all = try Slice.bounds(inputs, rank: dimensions.count)
    } catch  where error.code == .unknownShape {
      return [x.type.with(dimensions: dimensions.map { _ in .unknown })]
    }
    for bounds in all {
      dimensions[bounds.axis] = Slice.extent(dimensions[bounds.axis], bounds)
    }
    return [x.type.with(dimensions: dimensions)]
  }

  private static func extent(_ dimension: Dimension, _ bounds: Bounds) -> Dimension {
    guard let start = bounds.start, let end = bounds.end else { return .unknown }
    if let extent = dimension.value {
      return .fixed(Walk(start: start, end: end, step: bounds.step, extent: extent).count)
    }
    let whole =
      bounds.step == 1
      ? start == 0 && end >= Int(Int32.max)
      : bounds.step == -1 && start == -1
        && end <= -Int(Int32.max)
    if whole { return dimension }
    // Both bounds from the end, or an empty stretch, do not depend on the extent.
    return bounds.step > 0 && end == start ? 0 : .unknown
  }

  package func extents(_ inputs: Operands<Fact>) -> [Dimension]? {
    guard let x = inputs.optional(0), let extents = x.extents, x.type.rank == 1,
      let bounds = try? Slice.bounds(inputs, rank: 1)
    else { return nil }
    guard let first = bounds.first else { return extents }
    guard let start = first.start, let end = first.end else { return nil }
    let walk = Walk(start: start, end: end, step: first.step, extent: extents.count)
    return (0..<walk.count).map { extents[walk.start + $0 * walk.step] }
  }
}

// MARK: - Reference

extension Slice: ViewOperator {
  package func views(
    of source: StridedView, _ operands: Operands<Fact>
  ) throws(ModelError) -> [StridedView] {
    var view = source
    for bounds in try Slice.bounds(operands, rank: source.axes.count) {
      let factor = source.axes[bounds.axis][0]
      guard let start = bounds.start, let end = bounds.end else {
        throw ModelError(.unknownShape, "the bounds are not known")
      }
      let walk = Walk(start: start, end: end, step: bounds.step, extent: factor.extent)
      view.offset += walk.start * factor.stride
      view.axes[bounds.axis] = [.init(extent: walk.count, stride: factor.stride * walk.step)]
    }
    return [view]
  }
}

// MARK: - Import

extension Slice: ImportableOperator {
  package static let importers = [
    Importer("Slice", 1...9) { (node, graph) throws(ModelError) in
      let starts: [Int] = try node.required(attribute: "starts")
      let ends: [Int] = try node.required(attribute: "ends")
      var operands: [ValueID?] = [try node.required(0)]
      for (values, name) in [
        (starts, "starts"), (ends, "ends"), (try node.optional("axes"), "axes"),
      ] as [([Int]?, String)] {
        operands.append(
          values.map {
            node.constant(Tensor(vector: $0.map { Int64($0) }), name, in: &graph)
          })
      }
      return try node.append(Slice(), on: operands, to: &graph)
    },
    Importer("Slice", 10...newestOpset) { _ in Slice() },
  ]
}

// MARK: - Gradient

extension Slice: DifferentiableOperator {
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    let shape = try site.operand(0).shape
    let facts = Operands((0..<site.operandCount).map { site.fact($0) })
    var byX = try site.gradient()
    for bounds in try Slice.bounds(facts, rank: shape.rank) {
      guard let start = bounds.start, let end = bounds.end else {
        throw ModelError(.unknownShape, "the bounds are not known")
      }
      let extent = shape[bounds.axis]
      let walk = Walk(start: start, end: end, step: bounds.step, extent: extent)
      if walk.step == 1 {
        var (before, after) = (
          [Int](repeating: 0, count: shape.rank), [Int](repeating: 0, count: shape.rank)
        )
        before[bounds.axis] = walk.start
        after[bounds.axis] = extent - walk.start - walk.count
        byX = try byX.padded(before: before, after: after)
      } else {
        byX = try byX.scattered(
          to: extent, axis: bounds.axis,
          at: (0..<walk.count).map { walk.start + $0 * walk.step })
      }
    }
    return [byX]
  }
}
