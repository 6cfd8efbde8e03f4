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
    _ range: Range<Int>, _ scratch: ScratchMemory,
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
      return try body(UnsafeRawBufferPointer(buffer))
    }
  }
}
