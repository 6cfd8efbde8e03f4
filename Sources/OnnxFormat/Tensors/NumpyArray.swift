import TensorCore

/// One array in NumPy's `.npy` format, versions 1 to 3.
package enum NumpyArray {
  private static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)
  private static let headerLimit = 1 << 16

  package static func read(
    path: String, limits: ImportLimits = ImportLimits()
  ) throws(ModelError) -> Tensor {
    try read(bytes: try InputFile.contents(path: path, limit: limits.fileBytes)[...])
  }

  /// - Throws: `malformed-input` where the bytes are not an array of exactly the declared size,
  ///   `unsupported-feature` for big-endian, complex, text and object elements.
  package static func read(bytes: ArraySlice<UInt8>) throws(ModelError) -> Tensor {
    let first = bytes.startIndex
    guard bytes.count >= 10, bytes.starts(with: magic), (1...3).contains(bytes[first + 6]) else {
      throw ModelError(.malformedInput, "the bytes are not a NumPy array")
    }
    let wide = bytes[first + 6] > 1
    let start = first + (wide ? 12 : 10)
    guard start <= bytes.endIndex else { throw ModelError(.malformedInput, "the array is cut off") }
    var length = Int(bytes[first + 8]) | Int(bytes[first + 9]) << 8
    if wide { length |= Int(bytes[first + 10]) << 16 | Int(bytes[first + 11]) << 24 }
    guard length <= headerLimit, start + length <= bytes.endIndex else {
      throw ModelError(.malformedInput, "a header of \(length) bytes is beyond the array's end")
    }
    guard let text = String(validating: bytes[start..<start + length], as: UTF8.self) else {
      throw ModelError(.malformedInput, "the array's header is not text")
    }
    let header = try Header(text)
    let elements = bytes[(start + length)...]
    guard elements.count == header.shape.count * header.element.byteCount else {
      throw ModelError(
        .malformedInput,
        "\(elements.count) bytes of content; \(header.element) \(header.shape) needs "
          + "\(header.shape.count * header.element.byteCount)")
    }
    let tensor = try Tensor(header.element, header.storedShape) { target throws(ModelError) in
      try elements.withRaw { (raw) throws(ModelError) in
        try OnnxTensorDecoder.decode(raw, header.element, header.shape.count, into: target)
      }
    }
    return header.columnMajor ? tensor.withReversedAxes() : tensor
  }

  /// Version 1.0. bfloat16, which NumPy does not have, is written as float32; four-bit integers as
  /// eight-bit ones.
  package static func bytes(of tensor: Tensor) -> [UInt8] {
    let tensor = tensor.element == .bfloat16 ? Tensor(tensor.shape, tensor.floats()) : tensor
    let extents = tensor.shape.dimensions.map(String.init)
    let shape = extents.count == 1 ? "(\(extents[0]),)" : "(\(extents.joined(separator: ", ")))"
    var header =
      "{'descr': '\(description(of: tensor.element))', 'fortran_order': False, 'shape': \(shape), }"
    // Content starts at a multiple of 64.
    while (10 + header.utf8.count + 1) % 64 != 0 { header += " " }
    header += "\n"
    var bytes = magic + [1, 0]
    bytes.append(UInt8(header.utf8.count & 255))
    bytes.append(UInt8(header.utf8.count >> 8))
    bytes += header.utf8
    bytes += tensor.bytes
    return bytes
  }

  package static func write(_ tensor: Tensor, path: String) throws(ModelError) {
    try NewFile.write(bytes(of: tensor), to: path)
  }

  private static func description(of element: ElementType) -> String {
    switch element {
    case .bool: "|b1"
    case .int4, .int8: "|i1"
    case .uint4, .uint8: "|u1"
    case .float16, .float32, .float64, .bfloat16: "<f\(element.byteCount)"
    default: (element.isSigned ? "<i" : "<u") + String(element.byteCount)
    }
  }

  /// The three entries of an array's header, a Python dictionary.
  private struct Header {
    let element: ElementType
    let shape: Shape
    let columnMajor: Bool
    /// The shape in the order in which the bytes lie.
    let storedShape: Shape

    init(_ text: String) throws(ModelError) {
      let description = try Header.quoted(after: "'descr':", in: text)
      guard let element = Header.elements[description] else {
        throw ModelError(
          .unsupportedFeature,
          "elements '\(description)' are not read; save the array as little-endian numbers")
      }
      self.element = element
      columnMajor = try Header.rest(after: "'fortran_order':", in: text).hasPrefix("True")
      let tuple = try Header.rest(after: "'shape':", in: text)
      guard tuple.hasPrefix("("), let end = tuple.firstIndex(of: ")") else {
        throw ModelError(.malformedInput, "the array's shape is not a tuple")
      }
      var extents: [Int] = []
      for part in tuple[tuple.index(after: tuple.startIndex)..<end].split(separator: ",") {
        let digits = part.trimmed
        if digits.isEmpty { continue }
        guard let extent = Int(digits) else {
          throw ModelError(.malformedInput, "the array's shape has extent '\(digits)'")
        }
        extents.append(extent)
      }
      shape = try Shape(extents)
      storedShape = columnMajor ? try Shape(extents.reversed()) : shape
    }

    private static let elements: [Substring: ElementType] = [
      "<f2": .float16, "<f4": .float32, "<f8": .float64, "|b1": .bool, "|i1": .int8, "|u1": .uint8,
      "<i2": .int16, "<u2": .uint16, "<i4": .int32, "<u4": .uint32, "<i8": .int64, "<u8": .uint64,
    ]

    private static func rest(after key: String, in text: String) throws(ModelError) -> Substring {
      guard let range = text.firstRange(of: key) else {
        throw ModelError(.malformedInput, "the array's header has no \(key)")
      }
      return text[range.upperBound...].trimmed
    }

    private static func quoted(after key: String, in text: String) throws(ModelError) -> Substring {
      let rest = try rest(after: key, in: text)
      guard rest.hasPrefix("'"), let end = rest.dropFirst().firstIndex(of: "'") else {
        throw ModelError(.unsupportedFeature, "arrays of structures are not read")
      }
      return rest[rest.index(after: rest.startIndex)..<end]
    }
  }
}

extension Substring {
  fileprivate var trimmed: Substring {
    var rest = self
    while rest.first == " " { rest.removeFirst() }
    while rest.last == " " { rest.removeLast() }
    return rest
  }
}

extension Tensor {
  /// The transpose that reverses the order of axes.
  fileprivate func withReversedAxes() -> Tensor {
    guard let reversed = try? Shape(shape.dimensions.reversed()) else { return self }
    let size = element.byteCount
    let sourceStrides = Array(shape.strides.reversed())
    let targetStrides = reversed.strides
    return Tensor(
      element, reversed,
      writing: { target in
        for flat in 0..<reversed.count {
          var (rest, source) = (flat, 0)
          for axis in 0..<reversed.rank {
            source += rest / targetStrides[axis] * sourceStrides[axis]
            rest %= targetStrides[axis]
          }
          for byte in 0..<size { target[flat * size + byte] = bytes[source * size + byte] }
        }
      })
  }
}
