import TensorCore

extension Dimension {
  /// False where both extents are known and differ.
  func mayEqual(_ other: Dimension) -> Bool {
    guard let a = value, let b = other.value else { return true }
    return a == b
  }

  /// The better known one of two extents that are equal.
  func merged(with other: Dimension) -> Dimension {
    switch (self, other) {
    case (.fixed, _): self
    case (_, .fixed): other
    case (.unknown, _): other
    default: self
    }
  }
}
