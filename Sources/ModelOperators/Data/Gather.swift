import ModelIR
import ModelKernels
import TensorCore

/// y[a…, i…, b…] = x[a…, indices[i…], b…], the index standing at `axis`; negative indices count from
/// the end. ONNX Gather 1–13.
package struct Gather: Operator {
  package static let name = "Gather"
  package static let fields = [Field("axis", \Gather.axis)]

  /// Counted from the end where negative.
  package var axis = 0

  package init() {}
  package init(axis: Int) { self.axis = axis }
}

// MARK: - Types

extension Gather {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(2...2)
    let x = try inputs.required(0)
    let indices = try inputs.required(1)
    try indices.expectIndices("GA1", "indices")
    let dimensions = try x.dimensions()
    guard !dimensions.isEmpty else { throw ModelError(.shapeMismatch, "GA2: Gather of a scalar") }
    let axis = try Shape.resolve(axis: axis, rank: dimensions.count)
    return [
      x.type.with(
        dimensions: Array(dimensions[..<axis]) + (try indices.dimensions())
          + Array(dimensions[(axis + 1)...]))
    ]
  }

  package func extents(_ inputs: Operands<Fact>) -> [Dimension]? {
    guard let extents = inputs.optional(0)?.extents, let indices = inputs.optional(1),
      indices.type.rank ?? 2 <= 1, let chosen = try? indices.integers()
    else { return nil }
    var result: [Dimension] = []
    for index in chosen {
      let position = index < 0 ? index + extents.count : index
      guard extents.indices.contains(position) else { return nil }
      result.append(extents[position])
    }
    return result
  }
}

// MARK: - Reference

extension Gather {
  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    let indices = try inputs.required(1)
    let axis = try Shape.resolve(axis: axis, rank: x.shape.rank)
    let inner = x.shape.count(axis + 1..<x.shape.rank)
    var sources: [Int] = []
    for row in 0..<x.shape.count(0..<axis) {
      for index in indices.integers() {
        let position = try Gather.position(Int(index), of: x.shape[axis])
        let start = (row * x.shape[axis] + position) * inner
        for column in 0..<inner { sources.append(start + column) }
      }
    }
    let dimensions = x.shape.dimensions
    let shape = try Shape(
      Array(dimensions[..<axis]) + indices.shape.dimensions + Array(dimensions[(axis + 1)...]))
    return [x.gathering(shape, from: sources)]
  }

  /// `index` counted from the front.
  static func position(_ index: Int, of extent: Int) throws(ModelError) -> Int {
    guard index >= -extent, index < extent else {
      throw ModelError(.invalidValue, "GA3: index \(index) is outside extent \(extent)")
    }
    return index < 0 ? index + extent : index
  }
}

// MARK: - Kernel

extension Gather: PlannedOperator {
  /// For elements of any type.
  package func kernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    let x = try request.operands.required(0)
    let indices = try request.operands.required(1)
    let axis = try Shape.resolve(axis: axis, rank: x.shape.rank)
    let run = x.shape.count(axis + 1..<x.shape.rank) * x.fact.element.byteCount
    let (outer, extent, count) = (x.shape.count(0..<axis), x.shape[axis], indices.shape.count)
    let isWide = indices.fact.element == .int64
    return PlannedKernel { (frame) throws(ModelError) in
      guard let source = frame.inputs[0] else { return }
      for place in 0..<count {
        let index = Gather.index(frame, place, isWide: isWide)
        KernelTier.copyRows(
          rows: outer, byteCount: run,
          source + (try Gather.position(index, of: extent)) * run, stride: extent * run,
          to: frame.outputs[0] + place * run, stride: count * run)
      }
    }
  }

  /// Index number `place` of a run.
  static func index(_ frame: KernelFrame, _ place: Int, isWide: Bool) -> Int {
    isWide ? Int(frame.input(1, as: Int64.self)[place]) : Int(frame.input(1, as: Int32.self)[place])
  }
}

// MARK: - Import

extension Gather: ImportableOperator {
  package static let importers = [
    Importer("Gather", 1...newestOpset) { node throws(ModelError) in
      Gather(axis: try node.attribute("axis", default: 0))
    }
  ]
}

// MARK: - Gradient

extension Gather: DifferentiableOperator {
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    let (shape, places) = (try site.operand(0).shape, try site.operand(1))
    let axis = try Shape.resolve(axis: axis, rank: shape.rank)
    let (outer, inner) = (shape.count(0..<axis), shape.count(axis + 1..<shape.rank))
    let rows = try site.gradient().reshaped(to: [outer, places.shape.count, inner])
    return [
      try rows.scattered(to: shape[axis], axis: 1, at: places).reshaped(to: shape), nil,
    ]
  }
}
