import CKernels
import TensorCore

/// Constant bytes at a fixed, aligned address: packed weights, taps, multipliers.
///
/// `@unchecked Sendable`: written only by the initialiser's closure, before anyone else has it.
package final class KernelMemory: @unchecked Sendable {
  package var address: UnsafeMutableRawPointer { memory.address }
  package let byteCount: Int
  private let memory: AlignedMemory

  /// Memory that `fill` writes; it starts out zero.
  package init(byteCount: Int, _ fill: (UnsafeMutableRawPointer) -> Void) {
    self.byteCount = byteCount
    memory = AlignedMemory(byteCount: byteCount)
    address.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
    fill(address)
  }

  /// A copy of `elements`.
  package convenience init<Element: BitwiseCopyable>(_ elements: [Element]) {
    self.init(byteCount: elements.count * MemoryLayout<Element>.stride) { target in
      elements.withUnsafeBytes { source in
        guard let start = source.baseAddress else { return }
        target.copyMemory(from: start, byteCount: source.count)
      }
    }
  }

  /// The first element, read as `Element`s.
  package func elements<Element>(of _: Element.Type) -> UnsafePointer<Element> {
    UnsafePointer(address.assumingMemoryBound(to: Element.self))
  }
}

/// `byteCount` rounded up so that what follows is aligned for kernels.
package func alignedByteCount(_ byteCount: Int) -> Int {
  let alignment = Int(CK_BUFFER_ALIGNMENT)
  return (byteCount + alignment - 1) / alignment * alignment
}
