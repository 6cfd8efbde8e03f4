import ModelIR
import TensorCore

/// X with elements added before and after each axis, or taken away where the count is negative.
/// Operands: X, counts before each axis then after each, the constant? (0), the axes? (all).
/// ONNX Pad 2–25 (before 11 counts and constant are attributes).
package struct Pad: Operator {
  package enum Mode: String, StringAttribute {
    /// The constant.
    case constant
    /// X mirrored at its first and last elements, which are not repeated.
    case reflect
    /// The first or last element.
    case edge
    /// X again and again.
    case wrap
  }
  package static let name = "Pad"
  package static let fields = [Field("mode", \Pad.mode)]

  package var mode = Mode.constant

  package init() {}
  package init(_ mode: Mode) { self.mode = mode }
}

// MARK: - Types

extension Pad {
  /// Elements added before and after each axis.
  ///
  /// - Throws: `unknown-shape` where they are not known yet.
  package static func counts(
    _ operands: Operands<Fact>, rank: Int
  ) throws(ModelError) -> [(before: Int, after: Int)] {
    let counts = try operands.required(1).integers()
    let named = try operands.optional(3)?.integers() ?? Array(0..<rank)
    _ = try resolve(axes: named, rank: rank, "PD3")
    guard counts.count == 2 * named.count else {
      throw ModelError(.shapeMismatch, "PD2: \(counts.count) counts for \(named.count) axes")
    }
    let range = -Shape.maximumCount...Shape.maximumCount
    guard counts.allSatisfy(range.contains) else {
      throw ModelError(.limitExceeded, "PD2: counts \(counts)")
    }
    var result = [(before: Int, after: Int)](repeating: (0, 0), count: rank)
    for (index, axis) in named.enumerated() {
      result[axis < 0 ? axis + rank : axis] = (counts[index], counts[named.count + index])
    }
    return result
  }

  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(2...4)
    let x = try inputs.required(0)
    try inputs.required(1).expectIndices("PD1", "counts")
    try inputs.optional(3)?.expectIndices("PD1", "axes")
    if let filler = inputs.optional(2), filler.element != x.element {
      throw ModelError(.typeMismatch, "PD4: a constant of \(filler.element) for \(x.element)")
    }
    let dimensions = try x.dimensions()
    let counts: [(before: Int, after: Int)]
    do {
      counts = try Pad.counts(inputs, rank: dimensions.count)
    } catch  where error.code == .unknownShape {
      return [x.type.with(dimensions: dimensions.map { _ in .unknown })]
    }
    var result: [Dimension] = []
    for (dimension, count) in zip(dimensions, counts) {
      guard let extent = dimension.value else {
        result.append(count.before == 0 && count.after == 0 ? dimension : .unknown)
        continue
      }
      let padded = extent + count.before + count.after
      guard padded >= 0, mode == .constant || extent > 0 || padded == 0 else {
        throw ModelError(
          .shapeMismatch, "PD5: extent \(extent) padded by \(count.before) and \(count.after)")
      }
      result.append(.fixed(padded))
    }
    return [x.type.with(dimensions: result)]
  }
}

// MARK: - Reference

extension Pad {
  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    [try padded(inputs, filler: inputs.optional(2))]
  }

  private func padded(_ inputs: Operands<Tensor>, filler: Tensor?) throws(ModelError) -> Tensor {
    let x = try inputs.required(0)
    let counts = try Pad.counts(inputs.facts, rank: x.shape.rank)
    let all = AxisMaps(maps: maps(x.shape, counts))
    return x.gathering(try Shape(all.extents), from: all.sources(in: x.shape), filler: filler)
  }

  /// The source of every position along each axis of the result.
  private func maps(_ shape: Shape, _ counts: [(before: Int, after: Int)]) -> [[Int]] {
    counts.enumerated().map { (axis, count) in
      let extent = shape[axis]
      return (-count.before..<max(extent + count.after, -count.before)).map {
        position($0, of: extent)
      }
    }
  }

  /// Which element of an axis stands at `index`, which counts from the first one.
  private func position(_ index: Int, of extent: Int) -> Int {
    if (0..<extent).contains(index) { return index }
    func modulo(_ value: Int, _ period: Int) -> Int {
      let remainder = value % period
      return remainder < 0 ? remainder + period : remainder
    }
    switch mode {
    case .constant: return -1
    case .edge: return min(max(index, 0), extent - 1)
    case .wrap: return modulo(index, extent)
    case .reflect:
      guard extent > 1 else { return 0 }
      let place = modulo(index, 2 * (extent - 1))
      return min(place, 2 * (extent - 1) - place)
    }
  }
}

// MARK: - Int8

extension Pad: MovingOperator {
  package func checkInteger(
    _ inputs: Operands<Fact>, _ outputs: [TensorType]
  ) throws(ModelError) {
    let quantization = try inputs.required(0).type.quantization
    guard let quantization, quantization.axis == nil, outputs[0].quantization == quantization else {
      throw ModelError(.notQuantizable, "Pad moves integers; it cannot change their scale")
    }
    guard mode == .constant, let filler = inputs.optional(2) else { return }
    guard filler.type.quantization == nil, filler.constant?.doubles() == [0] else {
      throw ModelError(.notQuantizable, "Pad of integers pads with 0 only")
    }
  }

  package func integerReference(
    _ inputs: Operands<Tensor>, _ outputs: [TensorType]
  ) throws(ModelError) -> [Tensor] {
    let zero = Int8(truncatingIfNeeded: outputs[0].quantization?.zeroPoint ?? 0)
    return [
      try padded(inputs, filler: Tensor(scalar: zero)).reading(as: outputs[0].quantization)
    ]
  }
}

// MARK: - Kernel

extension Pad: PlannedOperator {
  /// For elements of any type and constant counts, in the layout in which X arrives.
  package func kernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    let x = try request.operands.required(0)
    let facts = try request.operands.map { $0.fact }
    let counts: [(before: Int, after: Int)]
    do {
      counts = try Pad.counts(facts, rank: x.shape.rank)
    } catch  where error.code == .unknownShape {
      return nil
    }
    let filler: Tensor
    if let quantization = x.fact.type.quantization {
      filler = Tensor(scalar: Int8(truncatingIfNeeded: quantization.zeroPoint))
    } else if let operand = facts.optional(2) {
      guard let constant = operand.constant, constant.count == 1 else { return nil }
      filler = constant
    } else {
      filler = Tensor.filled(x.fact.element, .scalar, with: 0)
    }
    let size = x.fact.element.byteCount
    guard let shape = request.outputs[0].shape, filler.byteCount == size, x.shape.count > 0 else {
      return nil
    }
    return PaddingCopy(
      maps: maps(x.shape, counts), from: x.shape, to: shape, layout: x.layout, filler: filler
    ).kernel
  }
}

// MARK: - Import

extension Pad: ImportableOperator {
  package static let importers = [
    Importer("Pad", 2...10) { (node, graph) throws(ModelError) in
      let counts: [Int] = try node.required(attribute: "pads")
      let value: Float = try node.attribute("value", default: 0)
      let x = try node.required(0)
      let operands = [
        x, node.constant(Tensor(vector: counts.map { Int64($0) }), "pads", in: &graph),
        node.constant(
          Tensor.filled(graph.type(x).element, .scalar, with: Double(value)), "value", in: &graph),
      ]
      return try node.append(
        Pad(try node.attribute("mode", default: Mode.constant)), on: operands, to: &graph)
    },
    Importer("Pad", 11...newestOpset) { node throws(ModelError) in
      Pad(try node.attribute("mode", default: Mode.constant))
    },
  ]
}

// MARK: - Gradient

extension Pad: DifferentiableOperator {
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    let shape = try site.operand(0).shape
    let facts = Operands((0..<site.operandCount).map { site.fact($0) })
    let counts = try Pad.counts(facts, rank: shape.rank)
    var byX = try site.gradient()
    if mode == .constant {
      byX = try byX.padded(before: counts.map { -$0.before }, after: counts.map { -$0.after })
    } else {
      for (axis, map) in maps(shape, counts).enumerated() where counts[axis] != (0, 0) {
        byX = try byX.scattered(to: shape[axis], axis: axis, at: map)
      }
    }
    return [byX]
  }
}
