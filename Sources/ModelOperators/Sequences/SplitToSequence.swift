import ModelIR
import TensorCore

/// A tensor in pieces along one axis, as a sequence. Operand 1 holds the extents of the pieces, or, a scalar, that
/// of all but the last; where it is absent they are 1, and lose the axis unless it is kept. ONNX SplitToSequence
/// 11–24.
package struct SplitToSequence: Operator {
  package static let name = "SplitToSequence"
  package static let fields = [
    Field("axis", \SplitToSequence.axis), Field("keepdims", \SplitToSequence.keepsAxis),
  ]
  /// Counted from the end where negative.
  package var axis = 0
  package var keepsAxis = true
  package init() {}
}

// MARK: - Types

extension SplitToSequence {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(1...2)
    let x = try inputs.required(0)
    let sizes = inputs.optional(1)
    if let sizes {
      guard sizes.element == .int64 || sizes.element == .int32 else {
        throw ModelError(.typeMismatch, "SS1: pieces of \(sizes.element) extents")
      }
      guard (sizes.type.rank ?? 0) <= 1 else {
        throw ModelError(.shapeMismatch, "SS2: extents of rank \(sizes.type.rank ?? 0)")
      }
    }
    guard var dimensions = x.type.dimensions else { return [.sequence(of: x.type)] }
    let place = try resolved(dimensions.count)
    if sizes == nil && !keepsAxis {
      dimensions.remove(at: place)
    } else {
      dimensions[place] = sizes == nil ? 1 : .unknown
    }
    return [.sequence(of: x.type.with(dimensions: dimensions))]
  }

  private func resolved(_ rank: Int) throws(ModelError) -> Int {
    guard rank > 0 else { throw ModelError(.shapeMismatch, "SS3: a scalar has no axis") }
    return try Shape.resolve(axis: axis, rank: rank)
  }
}

// MARK: - Reference

extension SplitToSequence {
  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    let place = try resolved(x.shape.rank)
    let extent = x.shape[place]
    guard let sizes = inputs.optional(1) else {
      return [
        try Tensor(
          sequence: (0..<extent).map { (index) throws(ModelError) in
            keepsAxis
              ? try x.slices(axis: place, from: index, count: 1)
              : try x.slice(axis: place, at: index)
          }, of: x.element)
      ]
    }
    var members: [Tensor] = []
    var start = 0
    for size in try pieces(sizes, of: extent) {
      members.append(try x.slices(axis: place, from: start, count: size))
      start += size
    }
    return [try Tensor(sequence: members, of: x.element)]
  }

  private func pieces(_ sizes: Tensor, of extent: Int) throws(ModelError) -> [Int] {
    let given = sizes.integers()
    if sizes.shape.rank == 0 {
      guard given[0] > 0 else {
        throw ModelError(.invalidValue, "SS4: pieces of extent \(given[0])")
      }
      let size = Int(min(given[0], Int64(max(extent, 1))))
      return stride(from: 0, to: extent, by: size).map { min(size, extent - $0) }
    }
    var left = extent
    for size in given {
      guard size >= 0, size <= Int64(left) else {
        throw ModelError(
          .shapeMismatch, "SS5: pieces of extents \(given) of an extent of \(extent)")
      }
      left -= Int(size)
    }
    guard left == 0 else {
      throw ModelError(.shapeMismatch, "SS5: pieces of extents \(given) of an extent of \(extent)")
    }
    return given.map { Int($0) }
  }
}

// MARK: - Import

extension SplitToSequence: ImportableOperator {
  package static let importers = [
    Importer("SplitToSequence", 11...newestOpset) { node throws(ModelError) in
      var op = SplitToSequence()
      op.axis = try node.attribute("axis", default: 0)
      op.keepsAxis = try node.flag("keepdims", default: true)
      return op
    }
  ]
}
