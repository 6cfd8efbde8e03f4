import Synchronization

/// What has the bytes of a tensor, such as a section of a file, and gives them when they are wanted.
package protocol TensorSource: Sendable {
  /// Fills `content`, which is as long as the tensor.
  ///
  /// - Parameter scratch: memory to work in.
  func fill(
    _ content: UnsafeMutableRawBufferPointer, _ scratch: ScratchMemory
  ) throws(ModelError)
}

/// Bytes of one tensor: 64-byte aligned, written once while they are made, read-only afterwards; or in a source until they are
/// wanted.
package final class TensorStorage: Sendable {
  /// Readable bytes after the last element, so that vector loads need no tail case.
  package static let slack = 64

  private let byteCount: Int
  /// What was there from the start.
  private let own: Content?
  /// What has the bytes of others, and what it gave.
  private let source: (any TensorSource)?
  private let loaded = Mutex<Content?>(nil)

  /// `@unchecked Sendable`: the memory is written only before it is anyone else's.
  private struct Content: @unchecked Sendable {
    let memory: AlignedMemory
    let bytes: UnsafeRawBufferPointer

    init<E: Error>(
      byteCount: Int, in memory: AlignedMemory? = nil,
      _ fill: (UnsafeMutableRawBufferPointer) throws(E) -> Void
    ) throws(E) {
      let memory = memory ?? TensorStorage.memory(byteCount)
      self.memory = memory
      let buffer = UnsafeMutableRawBufferPointer(start: memory.address, count: byteCount)
      (memory.address + byteCount).initializeMemory(
        as: UInt8.self, repeating: 0, count: TensorStorage.slack)
      try fill(buffer)
      bytes = UnsafeRawBufferPointer(buffer)
    }
  }

  /// Memory for the bytes of one tensor.
  package static func memory(_ byteCount: Int) -> AlignedMemory {
    AlignedMemory(byteCount: byteCount + slack)
  }

  /// - Parameter memory: from ``memory(_:)``, which nothing else has but who keeps it to write again; nil for new memory.
  package init<E: Error>(
    byteCount: Int, in memory: AlignedMemory? = nil,
    _ fill: (UnsafeMutableRawBufferPointer) throws(E) -> Void
  ) throws(E) {
    self.byteCount = byteCount
    source = nil
    own = try Content(byteCount: byteCount, in: memory, fill)
  }

  init(byteCount: Int, from source: any TensorSource) {
    self.byteCount = byteCount
    self.source = source
    own = nil
  }

  /// False while the bytes are in their source only.
  var isLoaded: Bool { own != nil || loaded.withLock { $0 != nil } }

  /// - Throws: what the source throws.
  func load() throws(ModelError) { _ = try loadedBytes() }

  private func loadedBytes() throws(ModelError) -> UnsafeRawBufferPointer {
    if let own { return own.bytes }
    return try loaded.withLock { (content) throws(ModelError) in
      if let content { return content.bytes }
      let made = try Content(byteCount: byteCount) { (target) throws(ModelError) in
        try source?.fill(target, ScratchMemory())
      }
      content = made
      return made.bytes
    }
  }

  /// - Precondition: where the bytes are in a source that may fail, they were loaded.
  package var bytes: UnsafeRawBufferPointer {
    if let own { return own.bytes }
    do throws(ModelError) { return try loadedBytes() } catch {
      preconditionFailure("a tensor was read before it was loaded: \(error)")
    }
  }

  /// Calls `body` with bytes that may be gone afterwards.
  func withBytes<R>(
    _ scratch: ScratchMemory, _ body: (UnsafeRawBufferPointer) throws(ModelError) -> R
  ) throws(ModelError) -> R {
    guard let source, !isLoaded else { return try body(bytes) }
    let memory = scratch.buffer(byteCount)
    try source.fill(memory, scratch.next)
    return try body(UnsafeRawBufferPointer(memory))
  }
}

/// Memory of one thread that is used again, so that its pages are taken once.
package final class ScratchMemory {
  private var memory: UnsafeMutableRawBufferPointer?
  private let least: Int

  /// - Parameter least: bytes that are taken at once where any are needed.
  package init(least: Int = 0) {
    self.least = least
  }

  deinit { memory?.deallocate() }

  /// `count` bytes of no known content, until the next call.
  package func buffer(_ count: Int) -> UnsafeMutableRawBufferPointer {
    if memory?.count ?? -1 < count {
      memory?.deallocate()
      let byteCount = max(count, least)
      memory = .init(start: AlignedMemory.allocate(byteCount: byteCount), count: byteCount)
    }
    return memory.map { UnsafeMutableRawBufferPointer(rebasing: $0[..<count]) }
      ?? .init(start: nil, count: 0)
  }

  /// The same for elements.
  package func buffer<Element>(of _: Element.Type, _ count: Int) -> UnsafeMutableBufferPointer<
    Element
  > {
    buffer(count * MemoryLayout<Element>.stride).bindMemory(to: Element.self)
  }

  /// More memory, for who is called by the one that has this.
  package private(set) lazy var next = ScratchMemory(least: least)
}
