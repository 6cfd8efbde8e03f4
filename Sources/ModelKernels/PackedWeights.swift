import CKernels
import TensorCore

/// Weights in a kernel's own order. Planning only says how they are made; ``pack(_:)`` makes those of all layers at once,
/// in one block of memory, before the first run.
///
/// `@unchecked Sendable`: what changes does so once, before the plan is anyone else's.
package final class PackedWeights: @unchecked Sendable {
  private let byteCount: Int
  private var fill: (@Sendable (UnsafeMutableRawPointer, ScratchMemory) throws(ModelError) -> Void)?
  private var memory: AlignedMemory?
  private var place: UnsafeRawPointer?

  /// Weights that `fill` writes to memory that starts out uninitialised, with more memory to work in.
  init(
    byteCount: Int,
    _ fill: @escaping @Sendable (UnsafeMutableRawPointer, ScratchMemory) throws(ModelError) -> Void
  ) {
    self.byteCount = byteCount
    self.fill = fill
  }

  /// Weights of this many bytes leave enough behind to give back.
  private static let trimmedByteCount = 1 << 20

  /// Packs all of these, each for the first time, on all cores.
  ///
  /// - Throws: what the source of a weight throws.
  package static func pack(_ weights: [PackedWeights]) throws(ModelError) {
    var (offsets, total) = ([Int](), 0)
    for each in weights {
      offsets.append(total)
      total += alignedByteCount(each.byteCount)
    }
    let memory = AlignedMemory(byteCount: total)
    // The greatest first, so that no core is left with one when the others are done.
    let order = weights.indices.sorted { weights[$0].byteCount > weights[$1].byteCount }
    let most = order.first.map { weights[$0].byteCount } ?? 0
    let scratch: @Sendable () -> ScratchMemory = { ScratchMemory(least: most) }
    _ = try concurrently(order.count, with: scratch) {
      [offsets] (scratch, place) throws(ModelError) in
      try weights[order[place]].pack(into: memory, at: offsets[order[place]], scratch)
    }
    // What packing took to work in is not wanted again; little is not worth the call, for some graphs are planned in every run.
    if total >= trimmedByteCount { ck_trim_memory() }
  }

  private func pack(
    into memory: AlignedMemory, at offset: Int, _ scratch: ScratchMemory
  ) throws(ModelError) {
    let target = memory.address + offset
    ck_take_pages(target, byteCount)
    try fill?(target, scratch)
    fill = nil
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
