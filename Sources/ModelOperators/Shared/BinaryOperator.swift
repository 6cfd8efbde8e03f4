import ModelIR
import ModelKernels
import TensorCore

/// An operator on pairs of elements of two tensors that broadcast (`BR1`, `BR2`).
package protocol BroadcastingOperator: Operator {
  /// Whether operands of this element type are allowed.
  func accepts(_ element: ElementType) -> Bool
  /// The element type of the output for operands of `element`.
  func result(of element: ElementType) -> ElementType
  /// The output, given for each of its elements the flat indices of the operands' elements.
  func combine(_ a: Tensor, _ b: Tensor, _ pairs: [(Int, Int)], _ shape: Shape) -> Tensor
}

extension BroadcastingOperator {
  package func accepts(_ element: ElementType) -> Bool { element != .bool }
  package func result(of element: ElementType) -> ElementType { element }

  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(2...2)
    let a = try inputs.required(0)
    let b = try inputs.required(1)
    guard a.element == b.element, accepts(a.element) else {
      throw ModelError(
        .typeMismatch, "BR1: \(Self.name) of \(a.element) and \(b.element)")
    }
    return [TensorType(result(of: a.element), try broadcast(a.dimensions(), b.dimensions()))]
  }

  package func outputElements(_ inputs: Operands<Fact>) throws(ModelError) -> [ElementType] {
    [result(of: try inputs.required(0).element)]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let a = try inputs.required(0)
    let b = try inputs.required(1)
    let shape = try Shape.broadcast(a.shape, b.shape)
    return [combine(a, b, pairs(a.shape, b.shape, shape), shape)]
  }
}

/// Arithmetic on pairs of elements.
package protocol BinaryOperator: BroadcastingOperator, PlannedOperator {
  func apply(_ a: Double, _ b: Double) -> Double
  func apply(_ a: Int64, _ b: Int64) -> Int64
  /// For uint64; by default the signed formula on the same bits.
  func apply(_ a: UInt64, _ b: UInt64) -> UInt64
  /// The right operand that leaves the left one as it is, so that unknown extents pass through.
  static var rightIdentity: Int? { get }
  /// The kernel of float32 elements; nil where the reference must do.
  static var binaryFunction: BinaryFunction? { get }
}

extension BinaryOperator {
  package static var rightIdentity: Int? { nil }
  package static var binaryFunction: BinaryFunction? { nil }

  package func apply(_ a: UInt64, _ b: UInt64) -> UInt64 {
    UInt64(bitPattern: apply(Int64(bitPattern: a), Int64(bitPattern: b)))
  }

  package func combine(
    _ a: Tensor, _ b: Tensor, _ pairs: [(Int, Int)], _ shape: Shape
  ) -> Tensor {
    if a.element.isFloatingPoint {
      let (x, y) = (a.doubles(), b.doubles())
      return Tensor(a.element, shape, doubles: pairs.map { apply(x[$0], y[$1]) })
    }
    let (x, y) = (a.integers(), b.integers())
    guard a.element == .uint64 else {
      return Tensor(a.element, shape, integers: pairs.map { apply(x[$0], y[$1]) })
    }
    return Tensor(
      a.element, shape,
      integers: pairs.map {
        Int64(bitPattern: apply(UInt64(bitPattern: x[$0]), UInt64(bitPattern: y[$1])))
      })
  }

  package func extents(_ inputs: Operands<Fact>) -> [Dimension]? {
    guard let a = inputs.optional(0)?.extents, let b = inputs.optional(1)?.extents else {
      return nil
    }
    return combineExtents(a, b) { (x, y) in
      if let identity = Self.rightIdentity, y == .fixed(identity) { return x }
      return Dimension.combine(x, y) { Int(apply(Int64($0), Int64($1))) }
    }
  }
}

// MARK: - Kernel

extension BinaryOperator {
  package func kernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    guard let function = Self.binaryFunction else { return nil }
    return try .combining(function, request)
  }
}

extension PlannedKernel {
  /// A kernel of two float32 operands that broadcast. Channels-last where every operand of the output's
  /// shape is, else row-major.
  static func combining(
    _ function: BinaryFunction, _ request: KernelRequest
  ) throws(ModelError) -> PlannedKernel? {
    let operands = try request.operands.all()
    guard operands.count == 2, operands.allSatisfy({ $0.fact.element == .float32 }) else {
      return nil
    }
    let shape = try Shape.broadcast(operands[0].shape, operands[1].shape)
    let whole = operands.indices.filter { operands[$0].shape == shape }
    let layout: Layout =
      !whole.isEmpty && shape.rank >= 3
        && whole.allSatisfy({ operands[$0].layout == .channelsLast }) ? .channelsLast : .rowMajor
    let layouts = operands.map { $0.shape == shape ? layout : .rowMajor }
    let strides = zip(operands, layouts).map { (operand, own) in
      operand.shape == shape
        ? own.strides(of: shape) : operand.shape.broadcastStrides(to: shape)
    }
    let target = layout.strides(of: shape)
    let loops = ElementLoops(
      layout.axisOrder(rank: shape.rank).map {
        .init(extent: shape[$0], strides: SIMD4(strides[0][$0], strides[1][$0], target[$0], 0))
      })
    let (row, column) = (loops.rows.strides, loops.columns.strides)
    guard column.x <= 1, column.y <= 1 else { return nil }
    let tier = request.tier
    return PlannedKernel(
      operandLayouts: layouts, outputLayouts: [layout], overwritableOperands: whole
    ) { (frame) throws(ModelError) in
      let (a, b) = (frame.input(0, as: Float.self), frame.input(1, as: Float.self))
      let y = frame.output(0, as: Float.self)
      loops.run(on: frame.pool) { (offset, rows, columns) in
        tier.combine(
          function, rows: rows, columns: columns,
          RowOperand(a + offset.x, row: row.x, column: column.x),
          RowOperand(b + offset.y, row: row.y, column: column.y), to: y + offset.z, row: row.z)
      }
    }
  }
}

/// Applies `f` to the elements of two shape vectors, one of which may be a scalar.
func combineExtents(
  _ a: [Dimension], _ b: [Dimension], _ f: (Dimension, Dimension) -> Dimension
) -> [Dimension]? {
  guard a.count == b.count || a.count == 1 || b.count == 1 else { return nil }
  let count = a.count == 1 ? b.count : a.count
  return (0..<count).map { f(a[a.count == 1 ? 0 : $0], b[b.count == 1 ? 0 : $0]) }
}

/// The dimensions that two operands broadcast to, as far as they are known.
func broadcast(_ a: [Dimension], _ b: [Dimension]) throws(ModelError) -> [Dimension] {
  let rank = max(a.count, b.count)
  var result: [Dimension] = []
  for axis in 0..<rank {
    let x = axis >= rank - a.count ? a[axis - (rank - a.count)] : 1
    let y = axis >= rank - b.count ? b[axis - (rank - b.count)] : 1
    switch (x, y) {
    case (1, _): result.append(y)
    case (_, 1): result.append(x)
    case (.symbol, .symbol) where x == y: result.append(x)
    case (.fixed(let p), .fixed(let q)):
      guard p == q else {
        throw ModelError(.shapeMismatch, "BR2: extents \(p) and \(q) do not broadcast")
      }
      result.append(x)
    case (.fixed, _): result.append(x)
    case (_, .fixed): result.append(y)
    default: result.append(.unknown)
    }
  }
  return result
}

/// For each element of the broadcast shape, the flat indices of the two operands' elements.
func pairs(_ a: Shape, _ b: Shape, _ shape: Shape) -> [(Int, Int)] {
  let (p, q) = (sources(of: a, in: shape), sources(of: b, in: shape))
  return (0..<shape.count).map { (p[$0], q[$0]) }
}

/// For each element of `target`, the flat index of the element of `shape` that is broadcast to it.
func sources(of shape: Shape, in target: Shape) -> [Int] {
  StridedView(
    offset: 0,
    axes: zip(target.dimensions, shape.broadcastStrides(to: target)).map {
      [StridedView.Factor(extent: $0, stride: $1)]
    }
  ).indices()
}
