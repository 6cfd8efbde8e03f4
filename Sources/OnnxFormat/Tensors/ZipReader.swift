import CZlib
import TensorCore

/// The entries of a zip archive in memory: stored or deflated, no encryption, no 64-bit extension.
struct ZipReader {
  struct Entry {
    let name: String
    let method: Int
    let checksum: UInt32
    let storedByteCount: Int
    let byteCount: Int
    let offset: Int
  }

  let entries: [Entry]
  private let bytes: [UInt8]
  private static let endSize = 22

  /// - Throws: `malformed-input` where the directory is missing or contradicts the bytes,
  ///   `limit-exceeded` for too many entries or too much content, `unsupported-feature`.
  init(_ bytes: [UInt8], limits: ImportLimits) throws(ModelError) {
    self.bytes = bytes
    guard let end = ZipReader.endOfDirectory(bytes) else {
      throw ModelError(.malformedInput, "the bytes are not a zip archive")
    }
    let count = ZipReader.number(bytes, end + 10, 2)
    let directory = ZipReader.number(bytes, end + 16, 4)
    guard directory < 0xFFFF_FFFF, count < 0xFFFF else {
      throw ModelError(.unsupportedFeature, "archives of 4 GiB and more are not read")
    }
    guard count <= limits.archiveEntries else {
      throw ModelError(
        .limitExceeded, "\(count) entries; at most \(limits.archiveEntries) are read")
    }
    var entries: [Entry] = []
    var names = Set<String>()
    var total = 0
    var place = directory
    for _ in 0..<count {
      guard place + 46 <= end, ZipReader.number(bytes, place, 4) == 0x0201_4B50 else {
        throw ModelError(.malformedInput, "the archive's directory is cut off")
      }
      let nameLength = ZipReader.number(bytes, place + 28, 2)
      let next =
        place + 46 + nameLength + ZipReader.number(bytes, place + 30, 2)
        + ZipReader.number(bytes, place + 32, 2)
      guard next <= end,
        let name = String(validating: bytes[place + 46..<place + 46 + nameLength], as: UTF8.self)
      else { throw ModelError(.malformedInput, "an entry's name is cut off or not text") }
      guard names.insert(name).inserted else {
        throw ModelError(.malformedInput, "two entries are named '\(name)'")
      }
      guard ZipReader.number(bytes, place + 8, 2) & 1 == 0 else {
        throw ModelError(.unsupportedFeature, "entry '\(name)' is encrypted")
      }
      let entry = Entry(
        name: name, method: ZipReader.number(bytes, place + 10, 2),
        checksum: UInt32(ZipReader.number(bytes, place + 16, 4)),
        storedByteCount: ZipReader.number(bytes, place + 20, 4),
        byteCount: ZipReader.number(bytes, place + 24, 4),
        offset: ZipReader.number(bytes, place + 42, 4))
      total += entry.byteCount
      entries.append(entry)
      place = next
    }
    guard total <= limits.archiveBytes else {
      throw ModelError(
        .limitExceeded,
        "the entries have \(total) bytes in all; at most \(limits.archiveBytes) are read")
    }
    self.entries = entries
  }

  /// The content of one entry, checked against its checksum; where it is stored as it is, the archive's own bytes.
  func content(of entry: Entry) throws(ModelError) -> ArraySlice<UInt8> {
    let start = entry.offset
    guard start + 30 <= bytes.count, ZipReader.number(bytes, start, 4) == 0x0403_4B50 else {
      throw ModelError(.malformedInput, "entry '\(entry.name)' is not where the directory says")
    }
    let data =
      start + 30 + ZipReader.number(bytes, start + 26, 2) + ZipReader.number(bytes, start + 28, 2)
    guard data + entry.storedByteCount <= bytes.count else {
      throw ModelError(.malformedInput, "entry '\(entry.name)' is cut off")
    }
    let stored = bytes[data..<data + entry.storedByteCount]
    let content: ArraySlice<UInt8>
    switch entry.method {
    case 0:
      guard entry.storedByteCount == entry.byteCount else {
        throw ModelError(.malformedInput, "entry '\(entry.name)' has two sizes")
      }
      content = stored
    case 8: content = try ZipReader.inflated(stored, entry)[...]
    default:
      throw ModelError(
        .unsupportedFeature, "entry '\(entry.name)' is compressed by method \(entry.method)")
    }
    let checksum = content.withUnsafeBufferPointer {
      crc32_z(0, $0.baseAddress, $0.count)
    }
    guard UInt32(truncatingIfNeeded: checksum) == entry.checksum else {
      throw ModelError(.integrityFailure, "entry '\(entry.name)' does not match its checksum")
    }
    return content
  }

  private static func inflated(
    _ stored: ArraySlice<UInt8>, _ entry: Entry
  ) throws(ModelError) -> [UInt8] {
    // Deflate cannot do better than 1032 to 1.
    guard entry.byteCount <= 1032 * max(stored.count, 1) else {
      throw ModelError(.malformedInput, "entry '\(entry.name)' declares an impossible size")
    }
    var result = CInt(Z_OK)
    var produced = 0
    var input = Array(stored)
    let content = [UInt8](unsafeUninitializedCapacity: entry.byteCount) { target, count in
      var stream = z_stream()
      result = inflateInit2_(&stream, -15, ZLIB_VERSION, CInt(MemoryLayout<z_stream>.size))
      guard result == Z_OK else { return }
      defer { inflateEnd(&stream) }
      input.withUnsafeMutableBufferPointer { source in
        stream.next_in = source.baseAddress
        stream.avail_in = UInt32(source.count)
        stream.next_out = target.baseAddress
        stream.avail_out = UInt32(target.count)
        result = inflate(&stream, Z_FINISH)
      }
      produced = target.count - Int(stream.avail_out)
      count = produced
    }
    guard result == Z_STREAM_END, produced == entry.byteCount else {
      throw ModelError(.malformedInput, "entry '\(entry.name)' does not inflate to its size")
    }
    return content
  }

  /// The place of the record that ends the directory; a comment of up to 65535 bytes may follow it.
  private static func endOfDirectory(_ bytes: [UInt8]) -> Int? {
    guard bytes.count >= endSize else { return nil }
    let last = bytes.count - endSize
    for place in stride(from: last, through: max(0, last - 65535), by: -1)
    where bytes[place] == 0x50 && number(bytes, place, 4) == 0x0605_4B50 {
      return place
    }
    return nil
  }

  /// A little-endian number.
  private static func number(_ bytes: [UInt8], _ place: Int, _ count: Int) -> Int {
    (0..<count).reduce(0) { $0 | Int(bytes[place + $1]) << (8 * $1) }
  }
}
