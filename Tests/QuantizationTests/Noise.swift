import TensorCore

/// Numbers in −1…1 that a seed decides.
func noise(_ shape: Shape, seed: UInt64) -> Tensor {
  var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
  return Tensor(
    shape,
    (0..<shape.count).map { _ in
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return Float(Int64(bitPattern: state) >> 40) / Float(1 << 23)
    })
}
