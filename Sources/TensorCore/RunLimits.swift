/// What a run may take, checked before it is taken (`formats/run-limits.md`): extents may come from data, and
/// data from anybody.
package enum RunLimits {
  /// Bytes of one tensor that a node makes (`RL1`).
  package static let tensorBytes = 1 << 33
  /// Bytes of all buffers of one plan (`RL2`).
  package static let planBytes = 1 << 35
  /// Iterations of one loop (`RL3`).
  package static let iterations = Int(Int32.max)

  /// - Throws: `limit-exceeded` above ``tensorBytes``.
  package static func check(_ shape: Shape, of element: ElementType) throws(ModelError) {
    guard shape.count <= tensorBytes / element.byteCount else {
      throw ModelError(
        .limitExceeded,
        "RL1: \(element)\(shape) takes more than \(tensorBytes >> 30) GiB; extents that come from data "
          + "may be wrong")
    }
  }
}
