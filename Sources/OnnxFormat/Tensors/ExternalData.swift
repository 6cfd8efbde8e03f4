import Glibc
import TensorCore

/// The files beside a model that may hold its tensors.
///
/// Nothing outside the model's folder is reachable: a location is relative, has no `.` or `..`, every
/// component is opened by itself and may not be a symbolic link, and the file may have one name only.
final class ExternalData {
  private let folder: CInt
  private var files: [String: InputFile] = [:]

  /// - Parameter folder: path of the model's folder; nil where the model has none, and then no
  ///   external data.
  init(folder path: String?) throws(ModelError) {
    guard let path else {
      folder = -1
      return
    }
    folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard folder >= 0 else {
      throw ModelError(
        .inputOutput, "cannot open folder '\(path)': \(String(cString: strerror(errno)))")
    }
  }

  deinit { if folder >= 0 { close(folder) } }

  /// Bytes of one tensor as its `external_data` entries describe them.
  struct Region: Equatable {
    var location = ""
    var offset = 0
    var length: Int?

    /// - Throws: `malformed-input` for an unknown or repeated key, or a number that is not one.
    init(entries: [(key: String, value: String)]) throws(ModelError) {
      var seen = Set<String>()
      for (key, value) in entries {
        guard seen.insert(key).inserted else {
          throw ModelError(.malformedInput, "external data says '\(key)' twice")
        }
        switch key {
        case "location": location = value
        case "offset": offset = try Region.number(value, key)
        case "length": length = try Region.number(value, key)
        case "checksum": break
        default: throw ModelError(.malformedInput, "external data has an unknown key '\(key)'")
        }
      }
      guard seen.contains("location") else {
        throw ModelError(.malformedInput, "external data without a location")
      }
    }

    private static func number(_ text: String, _ key: String) throws(ModelError) -> Int {
      guard let value = Int(text), value >= 0, text.utf8.allSatisfy({ (48...57).contains($0) })
      else {
        throw ModelError(
          .malformedInput, "external data's \(key) is '\(text)', not a whole number ≥ 0")
      }
      return value
    }
  }

  /// Fills `buffer` with the region, which must be exactly as long.
  ///
  /// - Throws: `forbidden-path` for a location outside the folder, `missing-input` where there is no
  ///   file, `malformed-input` where offset and length do not fit.
  func read(_ region: Region, into buffer: UnsafeMutableRawBufferPointer) throws(ModelError) {
    let file = try file(for: region, byteCount: buffer.count)
    try file.read(at: region.offset, into: buffer)
  }

  /// As ``read(_:into:)``, without reading: checked before memory is taken.
  func check(_ region: Region, byteCount: Int) throws(ModelError) {
    _ = try file(for: region, byteCount: byteCount)
  }

  private func file(for region: Region, byteCount: Int) throws(ModelError) -> InputFile {
    let file = try file(at: region.location)
    if let length = region.length, length != byteCount {
      throw ModelError(
        .malformedInput,
        "external data in '\(region.location)' is \(length) bytes long, the tensor needs \(byteCount)"
      )
    }
    let (end, overflow) = region.offset.addingReportingOverflow(byteCount)
    guard !overflow, end <= file.byteCount else {
      throw ModelError(
        .malformedInput,
        "external data at \(region.offset) + \(byteCount) is beyond the \(file.byteCount) bytes of "
          + "'\(region.location)'")
    }
    return file
  }

  private func file(at location: String) throws(ModelError) -> InputFile {
    if let file = files[location] { return file }
    guard folder >= 0 else {
      throw ModelError(
        .unsupportedFeature,
        "the model keeps tensors in '\(location)', but was not read from a folder")
    }
    let components = try ExternalData.components(of: location)
    var current = folder
    defer { if current != folder { close(current) } }
    for component in components.dropLast() {
      let next = openat(current, component, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
      let reason = errno
      guard next >= 0 else { throw ExternalData.refusal(of: location, at: component, reason) }
      if current != folder { close(current) }
      current = next
    }
    let name = components[components.count - 1]
    let descriptor = openat(current, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw ExternalData.refusal(of: location, at: name, errno) }
    let file = try InputFile(descriptor: descriptor, name: location)
    guard file.linkCount == 1 else {
      throw ModelError(
        .forbiddenPath,
        "external data '\(location)' is a hard link; copy the file into the model's folder")
    }
    files[location] = file
    return file
  }

  /// - Throws: `forbidden-path` for anything but plain names separated by single slashes.
  static func components(of location: String) throws(ModelError) -> [String] {
    let components = location.split(separator: "/", omittingEmptySubsequences: false)
    let plain = components.allSatisfy {
      !$0.isEmpty && $0 != "." && $0 != ".." && !$0.contains("\\") && !$0.contains("\0")
    }
    guard plain else {
      throw ModelError(
        .forbiddenPath,
        "external data location '\(location)' does not stay in the model's folder; "
          + "save the model again with a relative location")
    }
    return components.map(String.init)
  }

  private static func refusal(
    of location: String, at component: String, _ reason: CInt
  ) -> ModelError {
    // O_NOFOLLOW answers ELOOP for a link, and ENOTDIR where O_DIRECTORY is asked for as well.
    if reason == ELOOP || reason == ENOTDIR {
      return ModelError(
        .forbiddenPath,
        "external data '\(location)': '\(component)' is a symbolic link or no folder; "
          + "copy the file into the model's folder")
    }
    return ModelError(
      reason == ENOENT ? .missingInput : .inputOutput,
      "external data '\(location)': cannot open '\(component)': "
        + String(cString: strerror(reason)))
  }
}
