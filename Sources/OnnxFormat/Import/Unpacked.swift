import COnnx
import CProtobufC
import Glibc
import TensorCore

/// A protobuf message in C memory, which is bounded while it is unpacked and freed with this object.
final class Unpacked<Message> {
  typealias Unpack =
    (UnsafeMutablePointer<ProtobufCAllocator>, Int, UnsafePointer<UInt8>?)
    -> UnsafeMutablePointer<Message>?
  typealias Free = (UnsafeMutablePointer<Message>, UnsafeMutablePointer<ProtobufCAllocator>) -> Void

  let message: UnsafeMutablePointer<Message>
  private let allocator: UnsafeMutablePointer<ProtobufCAllocator>
  private let left: UnsafeMutablePointer<Int>
  private let free: Free

  /// - Throws: `limit-exceeded` where the message takes more memory than `limits` grant a file of its
  ///   size, `malformed-input` where it is not one.
  init(
    _ bytes: UnsafeRawBufferPointer, as what: String, limits: ImportLimits,
    unpack: Unpack, free: @escaping Free
  ) throws(ModelError) {
    left = .allocate(capacity: 1)
    left.initialize(to: bytes.count * limits.memoryFactor + limits.memoryFloor)
    allocator = .allocate(capacity: 1)
    allocator.initialize(
      to: ProtobufCAllocator(
        alloc: { data, size in
          guard let left = data?.assumingMemoryBound(to: Int.self) else { return nil }
          guard left.pointee >= 0, size <= left.pointee, let made = malloc(size) else {
            left.pointee = -1
            return nil
          }
          left.pointee -= malloc_usable_size(made)
          return made
        },
        free: { data, made in
          guard let made else { return }
          if let left = data?.assumingMemoryBound(to: Int.self), left.pointee >= 0 {
            left.pointee += malloc_usable_size(made)
          }
          Glibc.free(made)
        },
        allocator_data: UnsafeMutableRawPointer(left)))
    self.free = free
    let start = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
    guard let message = unpack(allocator, bytes.count, start) else {
      let exhausted = left.pointee < 0
      allocator.deallocate()
      left.deallocate()
      throw exhausted
        ? ModelError(
          .limitExceeded,
          "\(bytes.count) bytes of \(what) unpack to more memory than a file of that size may take")
        : ModelError(.malformedInput, "the bytes are not \(what)")
    }
    self.message = message
  }

  deinit {
    free(message, allocator)
    allocator.deallocate()
    left.deallocate()
  }
}

/// The elements of a repeated message field.
func elements<Element>(
  _ pointers: UnsafeMutablePointer<UnsafeMutablePointer<Element>?>?, _ count: Int
) -> [UnsafeMutablePointer<Element>] {
  UnsafeBufferPointer(start: pointers, count: pointers == nil ? 0 : count).compactMap(\.self)
}

/// Frees the content of a `bytes` field before its message goes.
func release(_ data: inout ProtobufCBinaryData) {
  free(data.data)
  data.data = nil
  data.len = 0
}
