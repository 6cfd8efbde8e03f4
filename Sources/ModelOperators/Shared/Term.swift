import ModelIR
import TensorCore

/// A value of a gradient's formula; what is computed with it becomes nodes of the graph.
package struct Term {
  package let id: ValueID
  private let site: GradientSite

  init(_ id: ValueID, at site: GradientSite) {
    self.id = id
    self.site = site
  }

  package var shape: Shape {
    get throws(ModelError) {
      guard let shape = site.graph.type(id).shape else {
        throw ModelError(.unknownShape, "a gradient needs the shape of '\(site.graph[id].name)'")
      }
      return shape
    }
  }

  var element: ElementType { site.graph.type(id).element }

  /// `op` of this and `others`.
  func applying(_ op: any Operator, _ others: Term?...) throws(ModelError) -> Term {
    try site.apply(op, [self] + others)
  }

  private func number(_ value: Double) -> Term {
    site.constant(Tensor.filled(element, .scalar, with: value))
  }

  // MARK: - Arithmetic, with broadcasting

  static func + (a: Term, b: Term) throws(ModelError) -> Term { try a.applying(Add(), b) }
  static func - (a: Term, b: Term) throws(ModelError) -> Term { try a.applying(Sub(), b) }
  static func * (a: Term, b: Term) throws(ModelError) -> Term { try a.applying(Mul(), b) }
  static func / (a: Term, b: Term) throws(ModelError) -> Term { try a.applying(Div(), b) }
  static func + (a: Term, b: Double) throws(ModelError) -> Term { try a + a.number(b) }
  static func - (a: Term, b: Double) throws(ModelError) -> Term { try a - a.number(b) }
  static func - (a: Double, b: Term) throws(ModelError) -> Term { try b.number(a) - b }
  static func * (a: Term, b: Double) throws(ModelError) -> Term {
    b == 1 ? a : try a * a.number(b)
  }
  static func / (a: Double, b: Term) throws(ModelError) -> Term { try b.number(a) / b }
  static prefix func - (a: Term) throws(ModelError) -> Term { try a.applying(Neg()) }

  /// This where `gate` is above 0, else 0.
  func gated(by gate: Term) throws(ModelError) -> Term { try applying(Gate(), gate) }

  /// `a` where this is above 0, else `b`.
  func chosen(_ a: Term, else b: Term) throws(ModelError) -> Term {
    try applying(Greater(), number(0)).applying(Where(), a, b)
  }

  /// 1 where this equals `other`, else 0.
  func equals(_ other: Term) throws(ModelError) -> Term {
    try applying(Equal(), other).applying(Cast(to: element))
  }

  /// As many elements of one value.
  func filled(with value: Double) throws(ModelError) -> Term {
    site.constant(Tensor.filled(element, try shape, with: value))
  }

  /// A constant of this element type.
  func constant(_ shape: Shape, _ values: [Double]) -> Term {
    site.constant(Tensor(element, shape, doubles: values))
  }

  // MARK: - Shapes

  func reshaped(to target: Shape) throws(ModelError) -> Term {
    if try shape == target { return self }
    return try applying(Reshape(allowZero: true), site.indices(target.dimensions))
  }

  func reshaped(to dimensions: [Int]) throws(ModelError) -> Term {
    try reshaped(to: Shape(dimensions))
  }

  func expanded(to target: Shape) throws(ModelError) -> Term {
    if try shape == target { return self }
    return try applying(Expand(), site.indices(target.dimensions))
  }

  func transposed(_ order: [Int]) throws(ModelError) -> Term {
    try applying(Transpose(order))
  }

  /// With the last two axes exchanged.
  func transposedMatrices() throws(ModelError) -> Term {
    let rank = try shape.rank
    return try transposed(Array(0..<rank - 2) + [rank - 1, rank - 2])
  }

  /// Elements `range` along `axis`.
  func sliced(_ range: Range<Int>, axis: Int) throws(ModelError) -> Term {
    try applying(
      Slice(), site.indices([range.lowerBound]), site.indices([range.upperBound]),
      site.indices([axis]))
  }

  /// Zeros added before and after each axis, or elements taken away.
  func padded(before: [Int], after: [Int]) throws(ModelError) -> Term {
    if (before + after).allSatisfy({ $0 == 0 }) { return self }
    return try applying(Pad(), site.indices(before + after))
  }

  /// Zeros of extent `extent` along `axis`, to which the entries of this are added at `places`: the transpose
  /// of gathering.
  func scattered(to extent: Int, axis: Int, at places: Term) throws(ModelError) -> Term {
    let shape = try shape
    var target = shape.dimensions
    target[axis] = extent
    var line = [Int](repeating: 1, count: shape.rank)
    line[axis] = shape[axis]
    let indices = try places.reshaped(to: line).expanded(to: shape)
    let zeros = site.constant(Tensor.filled(element, try Shape(target), with: 0))
    return try zeros.applying(ScatterElements(axis: axis, reduction: .add), indices, self)
  }

  func scattered(to extent: Int, axis: Int, at places: [Int]) throws(ModelError) -> Term {
    try scattered(to: extent, axis: axis, at: site.indices(places))
  }

  // MARK: - Sums

  /// The sum along `axes`, which stay as ones unless `keep` is false.
  func sum(_ axes: [Int], keep: Bool = true) throws(ModelError) -> Term {
    if axes.isEmpty { return self }
    var op = ReduceSum()
    op.keepDimensions = keep
    return try applying(op, site.indices(axes))
  }

  /// The mean along `axes`, which stay as ones.
  func mean(_ axes: [Int]) throws(ModelError) -> Term {
    axes.isEmpty ? self : try applying(ReduceMean(), site.indices(axes))
  }

  /// Summed over what `target` was broadcast along.
  func reduced(to target: Shape) throws(ModelError) -> Term {
    let own = try shape
    if own == target { return self }
    let lead = own.rank - target.rank
    let axes = (0..<own.rank).filter { $0 < lead || (target[$0 - lead] == 1 && own[$0] != 1) }
    return try sum(axes).reshaped(to: target)
  }
}

extension Term {
  /// The gradient by x of x̂ = (x − mean) / √(variance + ε) with moments along `axes`, or of x / √(mean x² + ε)
  /// unless `centred`, where this is the gradient by x̂; and x̂ itself.
  func normalised(
    _ x: Term, axes: [Int], epsilon: Float, centred: Bool = true
  ) throws(ModelError) -> (byX: Term, normal: Term) {
    let centre = centred ? try x - x.mean(axes) : x
    let deviation = try ((centre * centre).mean(axes) + Double(epsilon)).applying(Sqrt())
    let normal = try centre / deviation
    let share = try normal * (self * normal).mean(axes)
    let rest = centred ? try self - mean(axes) - share : try self - share
    return (try rest / deviation, normal)
  }
}
