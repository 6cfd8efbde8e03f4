/// A concrete shape: every extent known, row-major order.
package struct Shape: Sendable, Hashable {
  package let dimensions: [Int]
  /// Number of elements; 1 for a scalar.
  package let count: Int

  /// The greatest rank that any tensor may have.
  package static let maximumRank = 16

  /// The greatest product of extents, those of 0 counted as 1, so that strides cannot overflow.
  package static let maximumCount = 1 << 48

  /// - Throws: `invalid-value` for a negative extent; `limit-exceeded` where the product passes
  ///   ``maximumCount`` or the rank passes ``maximumRank``.
  package init(_ dimensions: [Int]) throws(ModelError) {
    guard dimensions.count <= Shape.maximumRank else {
      throw ModelError(
        .limitExceeded, "rank \(dimensions.count) is above the maximum of \(Shape.maximumRank)")
    }
    var product = 1
    for extent in dimensions {
      guard extent >= 0 else {
        throw ModelError(.invalidValue, "shape \(dimensions) has a negative extent")
      }
      let (next, overflow) = product.multipliedReportingOverflow(by: max(extent, 1))
      guard !overflow, next <= Shape.maximumCount else {
        throw ModelError(.limitExceeded, "shape \(dimensions) has too many elements")
      }
      product = next
    }
    self.dimensions = dimensions
    count = dimensions.contains(0) ? 0 : product
  }

  private init(scalar: Void) {
    dimensions = []
    count = 1
  }

  package static let scalar = Shape(scalar: ())

  package var rank: Int { dimensions.count }
  package subscript(_ axis: Int) -> Int { dimensions[axis] }

  /// Elements between neighbours along each axis, row-major.
  package var strides: [Int] {
    var strides = [Int](repeating: 1, count: rank)
    for axis in stride(from: rank - 2, through: 0, by: -1) {
      strides[axis] = strides[axis + 1] * dimensions[axis + 1]
    }
    return strides
  }

  /// Product of the extents in `range`; 1 where it is empty.
  package func count(_ range: Range<Int>) -> Int {
    var product = 1
    for axis in range { product *= dimensions[axis] }
    return product
  }

  /// The shape that two shapes broadcast to, aligned at the last axis (ONNX multidirectional
  /// broadcasting).
  package static func broadcast(_ a: Shape, _ b: Shape) throws(ModelError) -> Shape {
    let rank = max(a.rank, b.rank)
    var result = [Int](repeating: 1, count: rank)
    for axis in 0..<rank {
      let x = axis >= rank - a.rank ? a[axis - (rank - a.rank)] : 1
      let y = axis >= rank - b.rank ? b[axis - (rank - b.rank)] : 1
      guard x == y || x == 1 || y == 1 else {
        throw ModelError(.shapeMismatch, "shapes \(a) and \(b) do not broadcast")
      }
      result[axis] = x == 1 ? y : x
    }
    return try Shape(result)
  }

  /// Strides that read a tensor of this shape as if it had been broadcast to `target`: 0 along
  /// repeated axes. `target` must be a shape that this one broadcasts to.
  package func broadcastStrides(to target: Shape) -> [Int] {
    let own = strides
    let offset = target.rank - rank
    return (0..<target.rank).map { axis in
      axis < offset || dimensions[axis - offset] == 1 ? 0 : own[axis - offset]
    }
  }

  /// `axis` counted from the front, given an axis in −rank ..< rank.
  package static func resolve(axis: Int, rank: Int) throws(ModelError) -> Int {
    guard axis >= -rank, axis < max(rank, 1) else {
      throw ModelError(.invalidValue, "axis \(axis) is outside rank \(rank)")
    }
    return axis < 0 ? axis + rank : axis
  }
}

extension Shape: CustomStringConvertible {
  package var description: String { "[" + dimensions.map(String.init).joined(separator: "×") + "]" }
}
