import TensorCore

/// Where each element of a tensor lies in another one: an offset, and for each axis one or more factors
/// (outermost first) of which an index consists.
///
/// A slice has one factor for an axis, a tiled axis two: repetitions with stride 0, then the extent.
package struct StridedView: Sendable {
  package struct Factor: Sendable {
    package let extent: Int
    package let stride: Int
    package init(extent: Int, stride: Int) {
      self.extent = extent
      self.stride = stride
    }
  }
  package var offset: Int
  package var axes: [[Factor]]

  package init(offset: Int, axes: [[Factor]]) {
    self.offset = offset
    self.axes = axes
  }

  /// A row-major tensor as it is.
  package init(_ shape: Shape) {
    offset = 0
    axes = zip(shape.dimensions, shape.strides).map { [Factor(extent: $0, stride: $1)] }
  }

  /// A tensor whose neighbours along each axis are `strides` apart.
  package init(_ shape: Shape, strides: [Int]) {
    offset = 0
    axes = zip(shape.dimensions, strides).map { [Factor(extent: $0, stride: $1)] }
  }

  package var extents: [Int] { axes.map { $0.reduce(1) { $0 * $1.extent } } }

  /// Index in the source of every element, in row-major order.
  package func indices() -> [Int] {
    let factors = axes.flatMap { $0 }
    guard factors.allSatisfy({ $0.extent > 0 }) else { return [] }
    var result = [offset]
    for factor in factors {
      var next: [Int] = []
      next.reserveCapacity(result.count * factor.extent)
      for base in result {
        for index in 0..<factor.extent { next.append(base + index * factor.stride) }
      }
      result = next
    }
    return result
  }
}

extension Tensor {
  /// The elements at `sources` of this tensor, as a tensor of `shape`; index −1 takes `filler`, which
  /// has one element, or zero bytes.
  func gathering(_ shape: Shape, from sources: [Int], filler: Tensor? = nil) -> Tensor {
    precondition(sources.count == shape.count, "\(sources.count) indices do not fill \(shape)")
    let size = element.byteCount
    return Tensor(
      element, shape,
      writing: { target in
        guard let to = target.baseAddress else { return }
        for (index, source) in sources.enumerated() {
          let place = to + index * size
          if source >= 0, let from = bytes.baseAddress {
            place.copyMemory(from: from + source * size, byteCount: size)
          } else if let value = filler?.bytes.baseAddress {
            place.copyMemory(from: value, byteCount: size)
          } else {
            place.initializeMemory(as: UInt8.self, repeating: 0, count: size)
          }
        }
      })
  }
}
