import TensorCore

extension Tensor {
  /// The elements at `index` of `axis`, without that axis.
  package func slice(axis: Int, at index: Int) throws(ModelError) -> Tensor {
    var dimensions = shape.dimensions
    dimensions.remove(at: axis)
    return try slices(axis: axis, from: index, count: 1).reshaped(to: Shape(dimensions))
  }

  /// `count` indices of `axis` from `start` on.
  package func slices(axis: Int, from start: Int, count: Int) throws(ModelError) -> Tensor {
    var dimensions = shape.dimensions
    dimensions[axis] = count
    let inner = shape.count(axis + 1..<shape.rank) * element.byteCount
    let (pitch, piece) = (inner * shape[axis], inner * count)
    return try Tensor(element, Shape(dimensions)) { (target) throws(ModelError) in
      guard piece > 0, let from = bytes.baseAddress, let to = target.baseAddress else { return }
      for outer in 0..<target.count / piece {
        (to + outer * piece).copyMemory(
          from: from + outer * pitch + start * inner, byteCount: piece)
      }
    }
  }
}

/// Slices that become one tensor.
struct TensorStack {
  private(set) var slices: [Tensor] = []

  /// - Throws: `shape-mismatch` for a slice that differs from the ones before it, `limit-exceeded` where all
  ///   together are too large.
  mutating func append(_ slice: Tensor) throws(ModelError) {
    if let first = slices.first, first.shape != slice.shape {
      throw ModelError(
        .shapeMismatch, "a slice of shape \(slice.shape) after slices of \(first.shape)")
    }
    guard (slices.count + 1) * slice.byteCount <= RunLimits.tensorBytes else {
      throw ModelError(
        .limitExceeded,
        "RL1: \(slices.count + 1) slices of \(slice.type) take more than "
          + "\(RunLimits.tensorBytes >> 30) GiB")
    }
    slices.append(slice)
  }

  /// The slices along a new axis.
  ///
  /// - Parameter type: of the result: its extents, 0 for unknown ones, where there is no slice.
  func tensor(
    axis: Int, type: TensorType, reversed: Bool = false
  ) throws(ModelError) -> Tensor {
    guard let first = slices.first else {
      var dimensions = type.dimensions?.map { $0.value ?? 0 } ?? [0]
      let place = try Shape.resolve(axis: axis, rank: dimensions.count)
      dimensions[place] = 0
      return Tensor(type.element, try Shape(dimensions), doubles: [])
    }
    let place = try Shape.resolve(axis: axis, rank: first.shape.rank + 1)
    var dimensions = first.shape.dimensions
    dimensions.insert(slices.count, at: place)
    let inner = first.shape.count(place..<first.shape.rank) * first.element.byteCount
    return try Tensor(first.element, Shape(dimensions)) { (target) throws(ModelError) in
      guard inner > 0, let to = target.baseAddress else { return }
      for (index, slice) in slices.enumerated() {
        guard let from = slice.bytes.baseAddress else { continue }
        let position = reversed ? slices.count - 1 - index : index
        for outer in 0..<first.byteCount / inner {
          (to + (outer * slices.count + position) * inner).copyMemory(
            from: from + outer * inner, byteCount: inner)
        }
      }
    }
  }
}
