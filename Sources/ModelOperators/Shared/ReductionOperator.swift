import ModelIR
import TensorCore

/// An operator that makes one element of all those along some axes. Operands: X and, where given, the
/// axes; none means every axis, or none at all with ``noopWithEmptyAxes`` (`RD1`…`RD3`).
package protocol ReductionOperator: Operator {
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
}

extension ReductionOperator {
  package static var axesOperandVersion: Int { 18 }
  package func accepts(_ element: ElementType) -> Bool { element != .bool }

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
    members = StridedView(offset: 0, axes: axes.map { all[$0] }).indices()
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

// MARK: - Import

extension ReductionOperator {
  /// The ONNX operator `name` in all its versions.
  static func reductionImporters() -> [Importer] {
    let operandVersion = axesOperandVersion
    return [
      Importer(name, 7...operandVersion - 1) { (node, graph) throws(ModelError) in
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
