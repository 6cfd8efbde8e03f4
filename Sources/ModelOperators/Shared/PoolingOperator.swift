import ModelIR
import TensorCore

/// An operator that makes one number of each window over the spatial axes.
package protocol PoolingOperator: Operator {
  /// Extents of the window, one for each spatial axis.
  var kernel: [Int] { get }
  var window: Window { get }
  /// A last window that hangs over the end counts too.
  var ceiling: Bool { get }
}

extension PoolingOperator {
  /// The type of the pooled tensor.
  func pooled(_ x: Fact) throws(ModelError) -> TensorType {
    let dimensions = try x.dimensions()
    guard dimensions.count >= 3, kernel.count == dimensions.count - 2 else {
      throw ModelError(.shapeMismatch, "PL2: a window of \(kernel) over \(x.type)")
    }
    let space = try window.outputDimensions(
      input: Array(dimensions.dropFirst(2)), kernel: kernel.map { .fixed($0) }, ceiling: ceiling)
    return TensorType(x.element, dimensions.prefix(2) + space)
  }

  package func geometry(of shape: Shape) throws(ModelError) -> WindowGeometry {
    try window.geometry(
      input: Array(shape.dimensions.dropFirst(2)), kernel: kernel, ceiling: ceiling)
  }

  /// Calls `body` for each window of each plane: the window's elements, the plane's first element, the
  /// flat output position, and the index of the output element.
  func forEachWindow(
    of shape: Shape, _ geometry: WindowGeometry,
    _ body: (_ taps: [WindowGeometry.Tap], _ plane: Int, _ position: Int, _ output: Int) -> Void
  ) {
    let (inner, outer) = (geometry.inputCount, geometry.outputCount)
    for position in 0..<outer {
      let taps = geometry.taps(at: position)
      for plane in 0..<shape.count(0..<2) {
        body(taps, plane * inner, position, plane * outer + position)
      }
    }
  }

  func pooledShape(_ shape: Shape, _ geometry: WindowGeometry) throws(ModelError) -> Shape {
    try Shape(Array(shape.dimensions.prefix(2)) + geometry.output)
  }
}

extension WindowGeometry {
  /// Elements of the window at `position` that lie inside the padded image.
  package func paddedCount(at position: Int) -> Int {
    let center = coordinates(of: position)
    var count = 1
    for axis in 0..<rank {
      let start = center[axis] * strides[axis]
      let end = input[axis] + before[axis] + after[axis]
      count *= (0..<kernel[axis]).count { start + $0 * dilations[axis] < end }
    }
    return count
  }
}

/// An operator that makes one number of each plane.
package protocol GlobalPoolingOperator: Operator {
  func pool(_ plane: ArraySlice<Double>) -> Double
}

extension GlobalPoolingOperator {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(1...1)
    let x = try inputs.required(0)
    guard x.element.isFloatingPoint else {
      throw ModelError(.typeMismatch, "PL1: pooling of \(x.element)")
    }
    let dimensions = try x.dimensions()
    guard dimensions.count >= 2 else {
      throw ModelError(.shapeMismatch, "PL2: planes of \(x.type)")
    }
    return [
      TensorType(
        x.element,
        dimensions.prefix(2) + [Dimension](repeating: 1, count: dimensions.count - 2))
    ]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    let shape = try Shape(
      Array(x.shape.dimensions.prefix(2)) + [Int](repeating: 1, count: x.shape.rank - 2))
    let values = x.doubles()
    let inner = x.shape.count(2..<x.shape.rank)
    let result = (0..<shape.count).map { pool(values[$0 * inner..<($0 + 1) * inner]) }
    return [Tensor(x.element, shape, doubles: result)]
  }
}
