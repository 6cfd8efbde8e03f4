import CKernels
import TensorCore

/// What weights are packed from: where it is equal, so are the packed weights of one kernel.
package struct WeightOrigin: Hashable, Sendable {
  private let storage: ObjectIdentifier
  private let form: [Int]

  /// - Parameter form: all that what is made of the tensor depends on besides it.
  package init(_ tensor: Tensor, form: [Int]) {
    storage = ObjectIdentifier(tensor.storage)
    self.form = tensor.shape.dimensions + form
  }
}

/// Weights in a kernel's own order. Planning only says how they are made; ``pack(_:)`` makes those of all layers at once,
/// in one block of memory, before the first run. What several layers share is there once.
///
/// `@unchecked Sendable`: what changes does so once, before the plan is anyone else's.
package final class PackedWeights: @unchecked Sendable {
  /// Where weights come from, and the kernel's order.
  struct Identity: Hashable {
    let origin: WeightOrigin
    let order: [Int]
  }

  private let byteCount: Int
  private let identity: Identity?
  private var fill: (@Sendable (UnsafeMutableRawPointer, ScratchMemory) throws(ModelError) -> Void)?
  private var memory: AlignedMemory?
  private var place: UnsafeRawPointer?

  /// Weights that `fill` writes to memory that starts out uninitialised, with more memory to work in.
  ///
  /// - Parameter identity: equal ones of a plan are the same bytes; nil where they are no one else's.
  init(
    byteCount: Int, identity: Identity? = nil,
    _ fill: @escaping @Sendable (UnsafeMutableRawPointer, ScratchMemory) throws(ModelError) -> Void
  ) {
    self.byteCount = byteCount
    self.identity = identity
    self.fill = fill
  }

  /// Weights of this many bytes leave enough behind to give back.
  private static let trimmedByteCount = 1 << 20

  /// Packs all of these, each for the first time, on all cores.
  ///
  /// - Throws: what the source of a weight throws.
  package static func pack(_ weights: [PackedWeights]) throws(ModelError) {
    var (own, sharing) = ([PackedWeights](), [(PackedWeights, of: PackedWeights)]())
    var first: [Identity: PackedWeights] = [:]
    for each in weights {
      if let identity = each.identity, let same = first[identity] {
        sharing.append((each, of: same))
      } else {
        if let identity = each.identity { first[identity] = each }
        own.append(each)
      }
    }
    try packApart(own)
    for (each, same) in sharing { each.take(same) }
  }

  private static func packApart(_ weights: [PackedWeights]) throws(ModelError) {
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

  private func take(_ same: PackedWeights) {
    precondition(same.byteCount == byteCount, "the same weights")
    fill = nil
    memory = same.memory
    place = same.place
  }

  /// Whether both are there once if packed together.
  func isSame(as other: PackedWeights) -> Bool { identity != nil && identity == other.identity }

  /// Where the weights are.
  ///
  /// - Precondition: they are packed.
  var address: UnsafeRawPointer {
    guard let place else { preconditionFailure("no weights are packed") }
    return place
  }
}
