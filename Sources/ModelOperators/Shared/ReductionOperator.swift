import ModelIR
import ModelKernels
import TensorCore

/// An operator that makes one element of all those along some axes. Operands: X and, where given, the
/// axes; none means every axis, or none at all with ``noopWithEmptyAxes`` (`RD1`…`RD3`).
package protocol ReductionOperator: PlannedOperator {
  var keepDimensions: Bool { get set }
  var noopWithEmptyAxes: Bool { get set }
  /// Opset from which the axes are an operand; an attribute before.
  static var axesOperandVersion: Int { get }
  func accepts(_ element: ElementType) -> Bool
  func reduce(_ values: [Double]) -> Double
  /// For integers and, where ``accepts(_:)`` allows them, booleans.
  func reduce(_ values: [Int64]) -> Int64
  /// For uint64; by default the signed formula on the same bits.
  func reduce(_ values: [UInt64]) -> UInt64
  /// The kernel of float32 elements; nil where the reference must do.
  static var rowReduction: RowReduction? { get }
  /// The result for no integers where that depends on their type.
  func reduceNothing(of element: ElementType) -> Int64?
}

extension ReductionOperator {
  package static var axesOperandVersion: Int { 18 }
  package func accepts(_ element: ElementType) -> Bool { element != .bool }
  package static var rowReduction: RowReduction? { nil }
  package func reduceNothing(of element: ElementType) -> Int64? { nil }

  /// By way of the floats, towards zero.
  package func reduce(_ values: [Int64]) -> Int64 {
    Tensor.truncated(reduce(values.map { Double($0) }))
  }

  package func reduce(_ values: [UInt64]) -> UInt64 {
    UInt64(bitPattern: reduce(values.map { Int64(bitPattern: $0) }))
  }

  /// Which axes are reduced.
  func reduced(_ axes: Fact?, rank: Int) throws(ModelError) -> [Int] {
    let named = try axes?.integers() ?? []
    if named.isEmpty { return noopWithEmptyAxes ? [] : Array(0..<rank) }
    return try resolve(axes: named, rank: rank, "RD3")
  }
}

// MARK: - Types

extension ReductionOperator {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(1...2)
    let x = try inputs.required(0)
    guard accepts(x.element) else {
      throw ModelError(.typeMismatch, "RD1: \(Self.name) of \(x.element)")
    }
    let axes = inputs.optional(1)
    try axes?.expectIndices("RD2", "axes")
    let dimensions = try x.dimensions()
    if axes != nil, axes?.extents == nil, axes?.constant == nil, keepDimensions {
      return [TensorType(x.element, dimensions.map { _ in .unknown })]
    }
    let reduced = try reduced(axes, rank: dimensions.count)
    var result: [Dimension] = []
    for (axis, dimension) in dimensions.enumerated() {
      if !reduced.contains(axis) {
        result.append(dimension)
      } else if keepDimensions {
        result.append(1)
      }
    }
    return [TensorType(x.element, result)]
  }
}

// MARK: - Reference

/// A tensor's elements in groups, one for each element of a reduction's result.
struct ReductionGroups {
  let shape: Shape
  /// Index of the first element of each group.
  let starts: [Int]
  /// Distance of each element of a group from its first.
  let members: [Int]

  init(_ source: Shape, reducing axes: [Int], keepDimensions: Bool) throws(ModelError) {
    let all = StridedView(source).axes
    let kept = source.dimensions.indices.filter { !axes.contains($0) }
    starts = StridedView(offset: 0, axes: kept.map { all[$0] }).indices()
    members = starts.isEmpty ? [] : StridedView(offset: 0, axes: axes.map { all[$0] }).indices()
    var extents: [Int] = []
    for axis in 0..<source.rank {
      if !axes.contains(axis) {
        extents.append(source[axis])
      } else if keepDimensions {
        extents.append(1)
      }
    }
    shape = try Shape(extents)
  }

  func map<Element, Result>(_ values: [Element], _ reduce: ([Element]) -> Result) -> [Result] {
    starts.map { start in reduce(members.map { values[start + $0] }) }
  }
}

extension ReductionOperator {
  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    let axes = try reduced(inputs.optional(1).map { Fact($0) }, rank: x.shape.rank)
    let groups = try ReductionGroups(x.shape, reducing: axes, keepDimensions: keepDimensions)
    if x.element.isFloatingPoint {
      return [
        Tensor(x.element, groups.shape, doubles: groups.map(x.doubles()) { reduce($0) })
      ]
    }
    if groups.members.isEmpty, let nothing = reduceNothing(of: x.element) {
      return [Tensor(x.element, groups.shape, integers: groups.starts.map { _ in nothing })]
    }
    let values = x.integers()
    guard x.element == .uint64 else {
      return [Tensor(x.element, groups.shape, integers: groups.map(values) { reduce($0) })]
    }
    return [
      Tensor(
        x.element, groups.shape,
        integers: groups.map(values.map { UInt64(bitPattern: $0) }) {
          Int64(bitPattern: reduce($0))
        })
    ]
  }
}

// MARK: - Kernel

extension ReductionOperator {
  /// Rows of X, which are copied together first where the reduced axes are not the last ones.
  package func kernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    let x = try request.operands.required(0)
    guard x.fact.element == .float32, let reduction = Self.rowReduction, x.shape.count > 0 else {
      return nil
    }
    let axes: [Int]
    do {
      axes = try reduced(request.operands.optional(1)?.fact, rank: x.shape.rank)
    } catch  where error.code == .unknownShape {
      return nil
    }
    let source = StridedView(x.shape, strides: x.layout.strides(of: x.shape)).axes
    let kept = source.indices.filter { !axes.contains($0) }
    let gathered = StridedView(offset: 0, axes: (kept + axes).map { source[$0] })
    let copy = try StridedCopy(gathered, layout: .rowMajor, size: 4, tier: request.tier)
    let columns = axes.reduce(1) { $0 * x.shape[$1] }
    let rows = x.shape.count / columns
    let tier = request.tier
    return PlannedKernel(
      operandLayouts: [x.layout], scratchByteCount: copy.isIdentity ? 0 : x.shape.count * 4
    ) { (frame) throws(ModelError) in
      var from = frame.input(0, as: Float.self)
      if !copy.isIdentity {
        copy.run(from: from, to: frame.scratch, on: frame.pool)
        from = UnsafePointer(frame.scratch.assumingMemoryBound(to: Float.self))
      }
      let y = frame.output(0, as: Float.self)
      let pieces = x.shape.count < 32_768 ? 1 : min(frame.pool.threads, rows)
      frame.pool.run(tasks: pieces) { [from] piece in
        let range = rows * piece / pieces..<rows * (piece + 1) / pieces
        tier.reduce(
          reduction, rows: range.count, columns: columns, from + range.lowerBound * columns,
          row: columns, to: y + range.lowerBound)
      }
    }
  }
}

// MARK: - Import

extension ReductionOperator {
  /// The ONNX operator `name` in all its versions.
  static func reductionImporters() -> [Importer] {
    let operandVersion = axesOperandVersion
    return [
      Importer(name, 1...operandVersion - 1) { (node, graph) throws(ModelError) in
        var op = Self()
        op.keepDimensions = try node.flag("keepdims", default: true)
        let axes = try node.optional("axes", as: [Int].self)
        return try node.append(
          op, on: node.operands(adding: axes, as: "axes", at: 1, in: &graph), to: &graph)
      },
      Importer(name, operandVersion...newestOpset) { node throws(ModelError) in
        var op = Self()
        op.keepDimensions = try node.flag("keepdims", default: true)
        op.noopWithEmptyAxes = try node.flag("noop_with_empty_axes", default: false)
        return op
      },
    ]
  }
}
