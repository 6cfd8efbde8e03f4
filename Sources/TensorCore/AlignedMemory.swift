#if canImport(Glibc)
  import Glibc
#endif

/// A block of bytes at a fixed address that suits vector loads.
package final class AlignedMemory: @unchecked Sendable {
  package static let alignment = 64
  private static let largePage = 2 << 20

  /// `@unchecked Sendable`: the address never changes; what it holds is its owner's care.
  package let address: UnsafeMutableRawPointer

  /// - Parameters:
  ///   - byteCount: of the block, whose bytes start out uninitialised.
  ///   - isStreamed: it is read from end to end again and again, so that large pages, which the system must clear whole
  ///     before the first byte is written, pay: reading misses fewer address translations.
  package init(byteCount: Int, isStreamed: Bool = false) {
    guard isStreamed, byteCount >= 2 * AlignedMemory.largePage else {
      address = .allocate(byteCount: max(byteCount, 1), alignment: AlignedMemory.alignment)
      return
    }
    address = .allocate(byteCount: byteCount, alignment: AlignedMemory.largePage)
    #if canImport(Glibc)
      // Advice: where it is not taken, pages are small.
      _ = madvise(address, byteCount & ~(AlignedMemory.largePage - 1), MADV_HUGEPAGE)
    #endif
  }

  deinit { address.deallocate() }
}
