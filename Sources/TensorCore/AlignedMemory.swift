/// A block of bytes at a fixed address that suits vector loads.
package final class AlignedMemory: @unchecked Sendable {
  package static let alignment = 64

  /// `@unchecked Sendable`: the address never changes; what it holds is its owner's care.
  package let address: UnsafeMutableRawPointer

  /// - Parameter byteCount: of the block, whose bytes start out uninitialised.
  package init(byteCount: Int) {
    address = .allocate(byteCount: max(byteCount, 1), alignment: AlignedMemory.alignment)
  }

  deinit { address.deallocate() }
}
