import TensorCore

/// Weights in a kernel's own order. Planning only says how they are made; ``pack(_:)`` makes those of all layers at once,
/// in one block of memory, before the first run.
///
/// `@unchecked Sendable`: what changes does so once, before the plan is anyone else's.
package final class PackedWeights: @unchecked Sendable {
  private let byteCount: Int
  private let fill: @Sendable (UnsafeMutableRawPointer) -> Void
  private var memory: AlignedMemory?
  private var place: UnsafeRawPointer?

  /// Weights that `fill` writes to memory that starts out uninitialised.
  init(byteCount: Int, _ fill: @escaping @Sendable (UnsafeMutableRawPointer) -> Void) {
    self.byteCount = byteCount
    self.fill = fill
  }

  /// Packs all of these, each for the first time, on all cores.
  package static func pack(_ weights: [PackedWeights]) {
    var (offsets, total) = ([Int](), 0)
    for each in weights {
      offsets.append(total)
      total += alignedByteCount(each.byteCount)
    }
    let memory = AlignedMemory(byteCount: total)
    _ = concurrently(weights.count) { [offsets] index in
      weights[index].pack(into: memory, at: offsets[index])
    }
  }

  private func pack(into memory: AlignedMemory, at offset: Int) {
    let target = memory.address + offset
    fill(target)
    self.memory = memory
    place = UnsafeRawPointer(target)
  }

  /// Where the weights are.
  ///
  /// - Precondition: they are packed.
  var address: UnsafeRawPointer {
    guard let place else { preconditionFailure("no weights are packed") }
    return place
  }
}
