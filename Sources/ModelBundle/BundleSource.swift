import TensorCore

/// Where the bytes of a bundle are: in memory, or in a file of which only what is wanted is read.
enum BundleSource: Sendable {
  case memory([UInt8])
  case file(OpenFile)

  var count: Int {
    switch self {
    case .memory(let bytes): bytes.count
    case .file(let file): file.count
    }
  }

  /// - Throws: `input-output` where a file cannot be read.
  func bytes(_ range: Range<Int>) throws(ModelError) -> [UInt8] {
    switch self {
    case .memory(let bytes): Array(bytes[range])
    case .file(let file): try file.bytes(range)
    }
  }

  /// Calls `body` with a range; what is read from a file lies in `scratch` meanwhile.
  func withBytes<R>(
    _ range: Range<Int>, _ scratch: Scratch,
    _ body: (UnsafeRawBufferPointer) throws(ModelError) -> R
  ) throws(ModelError) -> R {
    switch self {
    case .memory(let bytes):
      return try bytes.withUnsafeBufferPointer { (buffer) throws(ModelError) in
        try body(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[range]))
      }
    case .file(let file):
      let buffer = scratch.buffer(range.count)
      try file.read(range, into: buffer)
      return try body(UnsafeRawBufferPointer(rebasing: buffer[..<range.count]))
    }
  }

  /// Memory of one thread that is used again, so that its pages are taken once.
  final class Scratch {
    private var memory: UnsafeMutableRawBufferPointer?
    private let least: Int

    /// - Parameter least: bytes that are taken at once where any are needed.
    init(least: Int = 0) {
      self.least = least
    }

    deinit { memory?.deallocate() }

    /// At least `count` bytes of no known content.
    func buffer(_ count: Int) -> UnsafeMutableRawBufferPointer {
      if let memory, memory.count >= count { return memory }
      memory?.deallocate()
      let new = UnsafeMutableRawBufferPointer.allocate(
        byteCount: max(count, least, 1), alignment: 64)
      memory = new
      return new
    }
  }
}
