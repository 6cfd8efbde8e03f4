#if canImport(Glibc)
  import Glibc
#endif

/// A block of bytes at a fixed address that suits vector loads. A large one asks for large pages: it is there sooner,
/// and reading through it misses fewer address translations.
package final class AlignedMemory: @unchecked Sendable {
  package static let alignment = 64
  private static let largePage = 2 << 20

  /// `@unchecked Sendable`: the address never changes; what it holds is its owner's care.
  package let address: UnsafeMutableRawPointer

  /// - Parameter byteCount: of the block, whose bytes start out uninitialised.
  package init(byteCount: Int) {
    guard byteCount >= 2 * AlignedMemory.largePage else {
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
