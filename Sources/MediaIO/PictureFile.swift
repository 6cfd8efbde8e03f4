import CPngRows
import Foundation
import TensorCore

/// A PNG file of any kind, as red, green and blue: its size is known, its rows are read when they are wanted.
///
/// Values are those stored: colour profiles and gamma are not applied and transparency is dropped, as the
/// trainers' image readers do.
package struct PictureFile: Sendable {
  package let path: String
  package let width: Int
  package let height: Int
  /// 16 bits where the file has them, else 8.
  package let depth: DeepImage.Depth

  /// - Throws: `missing-input`; `malformed-input` for a file that is not PNG; `limit-exceeded` beyond
  ///   ``MediaLimits``.
  package init(_ path: String) throws(ModelError) {
    let reader = try PictureReader(path)
    self.path = path
    (width, height, depth) = (reader.width, reader.height, reader.depth)
  }

  /// Its rows from the top.
  package func reader() throws(ModelError) -> PictureReader {
    let reader = try PictureReader(path)
    guard (reader.width, reader.height, reader.depth) == (width, height, depth) else {
      throw ModelError(.inputOutput, "'\(path)' became another picture")
    }
    return reader
  }
}

/// Reads a PNG file from the top.
package final class PictureReader {
  package let width: Int
  package let height: Int
  package let depth: DeepImage.Depth
  /// Rows that were read and are kept, from `first` up to `next`.
  private var recent: [UInt16] = []
  private var first = 0
  private var next = 0
  private let path: String
  private let rows: OpenRows

  /// - Parameter depth: what is wanted in place of the file's own: 16 bits are rounded to 8.
  fileprivate init(_ path: String, depth wanted: DeepImage.Depth? = nil) throws(ModelError) {
    try MediaFile.checkExists(path)
    var header = png_rows_header()
    var message = Message()
    guard let rows = OpenRows(png_rows_open(path, &header, &message.bytes)) else {
      throw message.refusal(of: path)
    }
    self.path = path
    self.rows = rows
    let (width, height) = (Int(header.width), Int(header.height))
    (self.width, self.height) = (width, height)
    depth = wanted ?? (header.depth == 16 ? .sixteen : .eight)
    try during("reading image '\(path)'") { () throws(ModelError) in
      try Image.checkSize(width: width, height: height)
    }
    guard png_rows_begin(rows.pointer, Int32(depth.rawValue), &message.bytes) else {
      throw message.refusal(of: path)
    }
  }

  /// Some rows, of which those before the first that was asked for last time are gone; the last ones come
  /// only where the file ends well.
  package func read(_ wanted: Range<Int>) throws(ModelError) -> DeepImage {
    precondition(
      first <= wanted.lowerBound && wanted.lowerBound <= next && next <= wanted.upperBound
        && wanted.upperBound <= height, "rows \(wanted) are not to be had")
    recent.removeFirst((wanted.lowerBound - first) * width * 3)
    first = wanted.lowerBound
    let count = wanted.upperBound - next
    switch depth {
    case .eight: recent += try unpack(UInt8.self, rows: count).map { UInt16($0) }
    case .sixteen: recent += try unpack(UInt16.self, rows: count)
    }
    let wasOpen = next < height
    next = wanted.upperBound
    if wasOpen, next == height {
      var message = Message()
      guard png_rows_end(rows.pointer, &message.bytes) else { throw message.refusal(of: path) }
    }
    return DeepImage(width: width, height: wanted.count, depth: depth, values: recent)
  }

  private func unpack<Value: FixedWidthInteger & BitwiseCopyable>(
    _: Value.Type, rows count: Int
  ) throws(ModelError) -> [Value] {
    var values = [Value](repeating: 0, count: count * width * 3)
    var message = Message()
    let stride = width * 3 * MemoryLayout<Value>.stride
    guard png_rows_read(rows.pointer, &values, count, stride, &message.bytes) else {
      throw message.refusal(of: path)
    }
    return values
  }
}

/// Writes a PNG file from the top; it is there under its name once its last row is.
package final class PictureWriter {
  private let path: String
  private let file: NewFile
  private let width: Int
  private let height: Int
  private let depth: DeepImage.Depth
  private var next = 0
  private let rows: OpenRows

  /// - Throws: as ``NewFile``.
  package init(
    _ path: String, width: Int, height: Int, depth: DeepImage.Depth
  ) throws(ModelError) {
    var header = png_rows_header(
      width: UInt32(width), height: UInt32(height), depth: Int32(depth.rawValue))
    var message = Message()
    let file = try NewFile(path)
    guard let rows = OpenRows(png_rows_create(file.sibling, &header, &message.bytes)) else {
      throw ModelError(.cannotCreate, "'\(path)' cannot be written: \(message.text)")
    }
    self.path = path
    self.file = file
    self.rows = rows
    (self.width, self.height, self.depth) = (width, height, depth)
  }

  /// Whether its last row was written.
  package var isWhole: Bool { next == height }

  /// Writes the next rows.
  package func write(_ picture: DeepImage) throws(ModelError) {
    precondition(picture.width == width && picture.depth == depth)
    switch depth {
    case .eight: try write(picture.values.map { UInt8($0) }, rows: picture.height)
    case .sixteen: try write(picture.values, rows: picture.height)
    }
    next += picture.height
    if isWhole { try file.finish() }
  }

  private func write<Value: BitwiseCopyable>(_ values: [Value], rows count: Int) throws(ModelError)
  {
    var message = Message()
    let stride = width * 3 * MemoryLayout<Value>.stride
    guard png_rows_write(rows.pointer, values, count, stride, &message.bytes) else {
      throw ModelError(.cannotCreate, "'\(path)' cannot be written: \(message.text)")
    }
  }
}

/// An open file of libpng's.
private final class OpenRows {
  let pointer: OpaquePointer

  init?(_ pointer: OpaquePointer?) {
    guard let pointer else { return nil }
    self.pointer = pointer
  }

  deinit { png_rows_close(pointer) }
}

/// A sentence of libpng's.
private struct Message {
  var bytes = [CChar](repeating: 0, count: PNG_ROWS_MESSAGE)

  var text: String {
    String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  func refusal(of path: String) -> ModelError {
    ModelError(.malformedInput, "'\(path)' is not a readable PNG image: \(text)")
  }
}

extension DeepImage {
  /// Reads any PNG with the depth that it has: 16 bits where it has them, else 8.
  ///
  /// - Throws: as ``PictureFile``; `malformed-input` also for a file that is damaged.
  package init(contentsOf path: String) throws(ModelError) {
    let reader = try PictureReader(path)
    self = try reader.read(0..<reader.height)
  }

  package func writePNG(to path: String) throws(ModelError) {
    try PictureWriter(path, width: width, height: height, depth: depth).write(self)
  }
}

extension Image {
  /// Reads any PNG as eight bits.
  ///
  /// - Throws: as ``DeepImage``.
  package init(contentsOf path: String) throws(ModelError) {
    let reader = try PictureReader(path, depth: .eight)
    let (width, height) = (reader.width, reader.height)
    let pixels = try reader.read(0..<height).values.map { UInt8($0) }
    self.init(width: width, height: height, pixels: pixels)
  }

  package func writePNG(to path: String) throws(ModelError) {
    try DeepImage(
      width: width, height: height, depth: .eight, values: pixels.map { UInt16($0) }
    ).writePNG(to: path)
  }
}
