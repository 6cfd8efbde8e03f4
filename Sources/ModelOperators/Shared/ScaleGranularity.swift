import ModelIR
import TensorCore

/// Which scale belongs to which element in QuantizeLinear and DequantizeLinear (`QL3`): one for the
/// tensor, one for each index along an axis, or one for each block of an axis.
struct ScaleGranularity {
  let axis: Int
  let block: Int

  /// - Throws: `shape-mismatch` where a scale of this shape fits none of the three.
  func check(_ scale: Fact, for x: Fact) throws(ModelError) {
    guard let own = scale.type.shape, let shape = x.type.shape else { return }
    try check(own, in: shape)
  }

  private func check(_ scale: Shape, in shape: Shape) throws(ModelError) {
    if scale.count == 1, block == 0 { return }
    let axis = try Shape.resolve(axis: axis, rank: shape.rank)
    guard axis < shape.rank else {
      throw ModelError(.shapeMismatch, "QL3: scales of \(scale) for a scalar")
    }
    let extent = shape[axis]
    if block == 0 {
      guard scale.rank == 1, scale[0] == extent else {
        throw ModelError(.shapeMismatch, "QL3: scales of \(scale) for axis \(axis) of \(shape)")
      }
      return
    }
    var expected = shape.dimensions
    expected[axis] = block > 0 ? extent / block + (extent % block == 0 ? 0 : 1) : 0
    guard block > 0, scale.dimensions == expected else {
      throw ModelError(
        .shapeMismatch, "QL3: scales of \(scale) for blocks of \(block) on axis \(axis) of \(shape)"
      )
    }
  }

  /// For every element of a tensor of `shape`, the index of its scale.
  func indices(_ scale: Shape, in shape: Shape) throws(ModelError) -> [Int] {
    try check(scale, in: shape)
    if scale.count == 1, block == 0 { return [Int](repeating: 0, count: shape.count) }
    let axis = try Shape.resolve(axis: axis, rank: shape.rank)
    let inner = shape.count(axis + 1..<shape.rank)
    let extent = shape[axis]
    if block == 0 { return (0..<shape.count).map { $0 / inner % extent } }
    let blocks = scale[axis]
    return (0..<shape.count).map { index in
      let place = index / inner % extent / block
      return (index / inner / extent * blocks + place) * inner + index % inner
    }
  }
}

extension ElementType {
  /// `value` as this float type holds it.
  func rounded(_ value: Double) -> Double {
    switch self {
    case .float16: Double(Float16(value))
    case .bfloat16: Double(BFloat16(Float(value)).float)
    case .float32: Double(Float(value))
    default: value
    }
  }
}
