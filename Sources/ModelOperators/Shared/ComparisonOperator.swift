import ModelIR
import TensorCore

/// A comparison of pairs of elements; false where either is NaN, except for operators that say
/// otherwise.
package protocol ComparisonOperator: BroadcastingOperator {
  func holds<Value: Comparable>(_ a: Value, _ b: Value) -> Bool
}

extension ComparisonOperator {
  package func result(of element: ElementType) -> ElementType { .bool }

  package func combine(
    _ a: Tensor, _ b: Tensor, _ pairs: [(Int, Int)], _ shape: Shape
  ) -> Tensor {
    if a.element.isFloatingPoint {
      let (x, y) = (a.doubles(), b.doubles())
      return Tensor(shape, pairs.map { holds(x[$0], y[$1]) })
    }
    let (x, y) = (a.integers(), b.integers())
    guard a.element == .uint64 else { return Tensor(shape, pairs.map { holds(x[$0], y[$1]) }) }
    return Tensor(
      shape,
      pairs.map { holds(UInt64(bitPattern: x[$0]), UInt64(bitPattern: y[$1])) })
  }

  /// 1 for true, 0 for false; an extent that is not known yet is at least known not to be negative.
  package func extents(_ inputs: Operands<Fact>) -> [Dimension]? {
    guard let a = inputs.optional(0)?.extents, let b = inputs.optional(1)?.extents else {
      return nil
    }
    return combineExtents(a, b) { (x, y) in
      switch (x, y) {
      case (.fixed(let p), .fixed(let q)): .fixed(holds(p, q) ? 1 : 0)
      case (.symbol, .symbol) where x == y: .fixed(holds(0, 0) ? 1 : 0)
      case (_, .fixed(let q)) where q < 0: .fixed(holds(0, q) ? 1 : 0)
      case (.fixed(let p), _) where p < 0: .fixed(holds(p, 0) ? 1 : 0)
      default: .unknown
      }
    }
  }
}
