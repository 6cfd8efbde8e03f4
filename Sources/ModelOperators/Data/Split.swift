import ModelIR
import TensorCore

/// X in pieces along one axis. Operand 1, where given, holds the extents of the pieces; otherwise they
/// are equal, the last one smaller where the extent does not divide. ONNX Split 2–18 (before 13 the
/// extents are an attribute).
package struct Split: Operator {
  package static let name = "Split"
  package static let fields = [Field("axis", \Split.axis), Field("outputs", \Split.outputCount)]

  /// Counted from the end where negative.
  package var axis = 0
  package var outputCount = 1

  package init() {}
  package init(axis: Int, outputs: Int) {
    self.axis = axis
    outputCount = outputs
  }
}

// MARK: - Types

extension Split {
  private func checkOutputCount() throws(ModelError) {
    guard (1...4096).contains(outputCount) else {
      throw ModelError(.invalidValue, "SP1: \(outputCount) outputs")
    }
  }

  /// Extents of the pieces of an axis, as far as they are known.
  private func pieces(_ extent: Dimension, _ sizes: Fact?) throws(ModelError) -> [Dimension] {
    try checkOutputCount()
    if let sizes {
      try sizes.expectIndices("SP2", "piece extents")
      guard let pieces = sizes.extents else {
        return [Dimension](repeating: .unknown, count: outputCount)
      }
      guard pieces.count == outputCount else {
        throw ModelError(
          .shapeMismatch, "SP3: \(pieces.count) pieces for \(outputCount) outputs")
      }
      var sum: Dimension = 0
      for piece in pieces {
        guard (0...Shape.maximumCount).contains(piece.value ?? 0) else {
          throw ModelError(.invalidValue, "SP4: a piece of extent \(piece)")
        }
        sum = Dimension.combine(sum, piece, +)
      }
      if let sum = sum.value, let extent = extent.value, sum != extent {
        throw ModelError(.shapeMismatch, "SP4: pieces add up to \(sum), not to \(extent)")
      }
      return pieces
    }
    guard let extent = extent.value else {
      return [Dimension](repeating: outputCount == 1 ? extent : .unknown, count: outputCount)
    }
    let size = (extent + outputCount - 1) / outputCount
    let last = extent - size * (outputCount - 1)
    guard last >= 0 else {
      throw ModelError(.shapeMismatch, "SP5: extent \(extent) in \(outputCount) pieces")
    }
    return (0..<outputCount).map { .fixed($0 == outputCount - 1 ? last : size) }
  }

  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(1...2)
    let x = try inputs.required(0)
    var dimensions = try x.dimensions()
    let axis = try Shape.resolve(axis: axis, rank: dimensions.count)
    guard axis < dimensions.count else { throw ModelError(.shapeMismatch, "SP6: a scalar") }
    var types: [TensorType] = []
    for piece in try pieces(dimensions[axis], inputs.optional(1)) {
      dimensions[axis] = piece
      types.append(x.type.with(dimensions: dimensions))
    }
    return types
  }

  package func outputElements(_ inputs: Operands<Fact>) throws(ModelError) -> [ElementType] {
    try checkOutputCount()
    return [ElementType](repeating: try inputs.required(0).element, count: outputCount)
  }
}

// MARK: - Reference

extension Split: ViewOperator {
  package func views(
    of source: StridedView, _ operands: Operands<Fact>
  ) throws(ModelError) -> [StridedView] {
    let axis = try Shape.resolve(axis: axis, rank: source.axes.count)
    let whole = source.axes[axis][0]
    var start = 0
    var views: [StridedView] = []
    for piece in try pieces(.fixed(whole.extent), operands.optional(1)) {
      guard let extent = piece.value else {
        throw ModelError(.unknownShape, "the extents of the pieces are not known")
      }
      var view = source
      view.offset += start * whole.stride
      view.axes[axis] = [.init(extent: extent, stride: whole.stride)]
      views.append(view)
      start += extent
    }
    return views
  }
}

// MARK: - Import

extension Split: ImportableOperator {
  package static let importers = [
    Importer("Split", 2...12) { (node, graph) throws(ModelError) in
      let op = Split(axis: try node.attribute("axis", default: 0), outputs: node.outputCount)
      let sizes = try node.optional("split", as: [Int].self)
      return try node.append(
        op, on: node.operands(adding: sizes, as: "split", at: 1, in: &graph), to: &graph)
    },
    Importer("Split", 13...newestOpset) { node throws(ModelError) in
      let outputs = try node.attribute("num_outputs", default: node.outputCount)
      return Split(axis: try node.attribute("axis", default: 0), outputs: outputs)
    },
  ]
}

// MARK: - Gradient

extension Split: DifferentiableOperator {
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    let pieces = try (0..<outputCount).map { (index) throws(ModelError) in
      try site.gradient(index)
    }
    return [try site.apply(Concat(axis: axis), pieces), nil]
  }
}
