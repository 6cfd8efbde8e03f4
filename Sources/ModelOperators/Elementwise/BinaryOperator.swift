import ModelIR
import TensorCore

/// An operator on pairs of elements of two tensors that broadcast.
package protocol BinaryOperator: Operator {
  func apply(_ a: Double, _ b: Double) -> Double
  func apply(_ a: Int64, _ b: Int64) -> Int64
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
    case (_, _) where x == y: result.append(x)
    case (.fixed(let p), .fixed(let q)):
      throw ModelError(.shapeMismatch, "EW2: extents \(p) and \(q) do not broadcast")
    case (.fixed, _): result.append(x)
    case (_, .fixed): result.append(y)
    default: result.append(.unknown)
    }
  }
  return result
}

extension BinaryOperator {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(2...2)
    let a = try inputs.required(0)
    let b = try inputs.required(1)
    guard a.element == b.element, a.element != .bool else {
      throw ModelError(
        .typeMismatch, "EW1: \(Self.name) of \(a.element) and \(b.element); one numeric type needed"
      )
    }
    return [TensorType(a.element, try broadcast(a.dimensions(), b.dimensions()))]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let a = try inputs.required(0)
    let b = try inputs.required(1)
    let shape = try Shape.broadcast(a.shape, b.shape)
    if a.element.isInteger {
      let (x, y) = (a.integers(), b.integers())
      return [
        Tensor(
          a.element, shape,
          integers: pairs(a.shape, b.shape, shape).map { apply(x[$0], y[$1]) })
      ]
    }
    let (x, y) = (a.doubles(), b.doubles())
    return [
      Tensor(
        a.element, shape, doubles: pairs(a.shape, b.shape, shape).map { apply(x[$0], y[$1]) })
    ]
  }

  package func extents(_ inputs: Operands<Fact>) -> [Dimension]? {
    guard let a = inputs.optional(0)?.extents, let b = inputs.optional(1)?.extents,
      a.count == b.count || a.count == 1 || b.count == 1
    else { return nil }
    return (0..<max(a.count, b.count)).map { index in
      Dimension.combine(a[a.count == 1 ? 0 : index], b[b.count == 1 ? 0 : index]) {
        Int(apply(Int64($0), Int64($1)))
      }
    }
  }
}

/// For each element of the broadcast shape, the flat indices of the two operands' elements.
func pairs(_ a: Shape, _ b: Shape, _ shape: Shape) -> [(Int, Int)] {
  let (p, q) = (a.broadcastStrides(to: shape), b.broadcastStrides(to: shape))
  var index = [Int](repeating: 0, count: shape.rank)
  var result: [(Int, Int)] = []
  result.reserveCapacity(shape.count)
  var (i, j) = (0, 0)
  for _ in 0..<shape.count {
    result.append((i, j))
    var axis = shape.rank - 1
    while axis >= 0 {
      index[axis] += 1
      i += p[axis]
      j += q[axis]
      if index[axis] < shape[axis] { break }
      i -= p[axis] * shape[axis]
      j -= q[axis] * shape[axis]
      index[axis] = 0
      axis -= 1
    }
  }
  return result
}
