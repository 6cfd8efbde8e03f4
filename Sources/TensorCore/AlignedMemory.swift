import Foundation

/// A block of bytes at a fixed address that suits vector loads.
package final class AlignedMemory: @unchecked Sendable {
  package static let alignment = 64
  /// Bytes of a large page, of which there is one entry to look up where there are 512 of ordinary ones, and one to take.
  private static let largePageByteCount = 1 << 21

  /// `@unchecked Sendable`: the address never changes; what it holds is its owner's care.
  package let address: UnsafeMutableRawPointer

  /// - Parameter byteCount: of the block, whose bytes start out uninitialised.
  package init(byteCount: Int) {
    address = AlignedMemory.allocate(byteCount: byteCount)
  }

  deinit { address.deallocate() }

  /// Memory of whoever calls this, in large pages as far as it fills some and the system has them.
  static func allocate(byteCount: Int) -> UnsafeMutableRawPointer {
    let large = byteCount / largePageByteCount * largePageByteCount
    let memory = UnsafeMutableRawPointer.allocate(
      byteCount: max(byteCount, 1), alignment: large > 0 ? largePageByteCount : alignment)
    #if os(Linux)
      if large > 0 { madvise(memory, large, MADV_HUGEPAGE) }
    #endif
    return memory
  }
}
