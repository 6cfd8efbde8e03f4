import Synchronization
import TensorCore

/// Weights in a kernel's own order. Planning only says how they are made; ``pack()`` makes them before the first
/// run, so that those of all layers can be packed at once.
///
/// `@unchecked Sendable`: the bytes are written only by the first ``pack()``, under a lock.
package final class PackedWeights: @unchecked Sendable {
  private let memory: AlignedMemory
  private let byteCount: Int
  private let fill: Mutex<(@Sendable (UnsafeMutableRawPointer) -> Void)?>

  /// Memory that `fill` will write; it gets it zeroed.
  init(byteCount: Int, _ fill: @escaping @Sendable (UnsafeMutableRawPointer) -> Void) {
    memory = AlignedMemory(byteCount: byteCount)
    self.byteCount = byteCount
    self.fill = Mutex(fill)
  }

  /// Packs the weights unless that is done; returns when it is.
  package func pack() {
    fill.withLock { fill in
      guard let write = fill else { return }
      memory.address.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
      write(memory.address)
      fill = nil
    }
  }

  /// Where the weights are; ``pack()`` has returned.
  var address: UnsafeRawPointer { UnsafeRawPointer(memory.address) }
}
