import CZstd
import TensorCore

/// One zstd frame that says how long its content is (`B11`, `B12`).
enum ZstdFrame {
  /// How a frame is made.
  enum Effort {
    /// One of zstd's levels.
    case level(Int32)
    /// Bytes of which some are more frequent than others, but hardly any come again in the order that they came in before:
    /// what zstd takes for repetition makes them longer, and slower to read.
    case frequencies

    fileprivate var parameters: [(ZSTD_cParameter, Int32)] {
      switch self {
      case .level(let level): [(ZSTD_c_compressionLevel, level)]
      case .frequencies:
        [
          (ZSTD_c_compressionLevel, 1), (ZSTD_c_strategy, Int32(ZSTD_fast.rawValue)),
          (ZSTD_c_hashLog, 6), (ZSTD_c_minMatch, 7),
        ]
      }
    }
  }

  static func compress(
    _ content: UnsafeRawBufferPointer, _ effort: Effort
  ) throws(ModelError) -> [UInt8] {
    let context = ZSTD_createCCtx()
    defer { ZSTD_freeCCtx(context) }
    for (parameter, value) in effort.parameters {
      let status = ZSTD_CCtx_setParameter(context, parameter, value)
      guard ZSTD_isError(status) == 0 else { throw failure("compressing", status) }
    }
    let bound = ZSTD_compressBound(content.count)
    var status = 0
    let frame = [UInt8](unsafeUninitializedCapacity: bound) { buffer, count in
      status = ZSTD_compress2(
        context, buffer.baseAddress, bound, content.baseAddress, content.count)
      count = ZSTD_isError(status) == 0 ? status : 0
    }
    guard ZSTD_isError(status) == 0 else { throw failure("compressing", status) }
    return frame
  }

  /// The content of a frame that is the header of a bundle (`B27`).
  ///
  /// - Parameter limit: bytes that it may have.
  static func contents(
    _ frame: [UInt8], limit: Int, windowLog: Int
  ) throws(ModelError) -> [UInt8] {
    try frame.withUnsafeBufferPointer { (buffer) throws(ModelError) in
      let frame = UnsafeRawBufferPointer(buffer)
      // Errors are numbers above every limit, and are told apart by the check.
      let size = ZSTD_getFrameContentSize(frame.baseAddress, frame.count)
      guard size <= UInt64(limit) || size > UInt64(Int.max) else {
        throw ModelError(.limitExceeded, "B20: a header of \(size) bytes; \(limit) at most")
      }
      try check(frame, size: Int(clamping: size), windowLog: windowLog)
      var content = [UInt8](repeating: 0, count: Int(clamping: size))
      try content.withUnsafeMutableBufferPointer { (content) throws(ModelError) in
        try decompress(frame, into: UnsafeMutableRawBufferPointer(content))
      }
      return content
    }
  }

  /// Refuses a frame that is not exactly one frame of `size` bytes of content.
  static func check(
    _ frame: UnsafeRawBufferPointer, size: Int, windowLog: Int
  ) throws(ModelError) {
    guard frame.count >= 6, frame.prefix(4).elementsEqual([0x28, 0xB5, 0x2F, 0xFD]) else {
      throw ModelError(.malformedInput, "B11: not a zstd frame")
    }
    let descriptor = frame[4]
    let isSingleSegment = descriptor & 0x20 != 0
    guard descriptor & 0x1F == 0 else {
      throw ModelError(
        .unsupportedFeature, "B11: a zstd frame with a checksum, dictionary or unknown bit")
    }
    guard isSingleSegment || descriptor >> 6 != 0 else {
      throw ModelError(.malformedInput, "B11: a zstd frame without content size")
    }
    guard isSingleSegment || Int(frame[5] >> 3) + 10 <= windowLog else {
      throw ModelError(.limitExceeded, "B12: a zstd window above 2^\(windowLog)")
    }
    guard ZSTD_getFrameContentSize(frame.baseAddress, frame.count) == UInt64(size) else {
      throw ModelError(.malformedInput, "B11: a zstd frame whose content size is not \(size)")
    }
    guard ZSTD_findFrameCompressedSize(frame.baseAddress, frame.count) == frame.count else {
      throw ModelError(.malformedInput, "B11: a zstd frame that does not end with its section")
    }
  }

  /// Fills `content` exactly. The frame has passed ``check(_:size:windowLog:)``.
  static func decompress(
    _ frame: UnsafeRawBufferPointer, into content: UnsafeMutableRawBufferPointer
  ) throws(ModelError) {
    let status = ZSTD_decompress(
      content.baseAddress, content.count, frame.baseAddress, frame.count)
    guard ZSTD_isError(status) == 0 else { throw failure("decompressing", status) }
    guard status == content.count else {
      throw ModelError(.malformedInput, "B11: a zstd frame with \(status) bytes of content")
    }
  }

  private static func failure(_ step: String, _ status: Int) -> ModelError {
    ModelError(.malformedInput, "B11: \(step): \(String(cString: ZSTD_getErrorName(status)))")
  }
}
