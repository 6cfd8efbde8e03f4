import TensorCore

/// Numbers in −1…1 that a seed decides.
func noise(_ shape: Shape, seed: UInt64) -> Tensor {
  var numbers = RepeatableNumbers(seed: seed)
  return Tensor(shape, (0..<shape.count).map { _ in Float(2 * numbers.fraction() - 1) })
}
