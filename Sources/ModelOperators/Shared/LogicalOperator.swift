import ModelIR
import TensorCore

/// A function of pairs of booleans.
package protocol LogicalOperator: BroadcastingOperator {
  func apply(_ a: Bool, _ b: Bool) -> Bool
}

extension LogicalOperator {
  package func accepts(_ element: ElementType) -> Bool { element == .bool }

  package func combine(
    _ a: Tensor, _ b: Tensor, _ pairs: [(Int, Int)], _ shape: Shape
  ) -> Tensor {
    let (x, y) = (a.integers(), b.integers())
    return Tensor(shape, pairs.map { apply(x[$0] != 0, y[$1] != 0) })
  }
}

/// A function of the bits of pairs of integers.
package protocol BitwiseOperator: BroadcastingOperator {
  func apply(_ a: Int64, _ b: Int64) -> Int64
}

extension BitwiseOperator {
  package func accepts(_ element: ElementType) -> Bool { element.isInteger }

  package func combine(
    _ a: Tensor, _ b: Tensor, _ pairs: [(Int, Int)], _ shape: Shape
  ) -> Tensor {
    let (x, y) = (a.integers(), b.integers())
    return Tensor(a.element, shape, integers: pairs.map { apply(x[$0], y[$1]) })
  }
}
