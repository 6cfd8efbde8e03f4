import TensorCore

extension TextScanner {
  mutating func scale() throws(ModelError) -> Float {
    let mark = mark
    // A zero point follows without a space: `0.5-3`.
    let scale = try float()
    guard scale.isFinite, scale > 0 else {
      throw error("a scale must be finite and above 0", at: mark, code: .invalidValue)
    }
    return scale
  }

  /// `[1, 2]`, `fill 1` or `hex "…"` (`T12`).
  mutating func elements(
    of element: ElementType, _ shape: Shape, quantization: QuantizationParameters?
  ) throws(ModelError) -> Tensor {
    let mark = mark
    var bytes: [UInt8] = []
    if take("[") {
      while !take("]") {
        if !bytes.isEmpty { try expect(",") }
        if take("…") { throw error("the text leaves out elements", at: mark) }
        guard bytes.count < shape.count * element.byteCount else {
          throw error("more elements than \(shape) has", at: mark)
        }
        try appendElement(element, to: &bytes)
      }
    } else if take("fill") {
      var one: [UInt8] = []
      try appendElement(element, to: &one)
      return Tensor(
        element, shape, quantization: quantization,
        writing: { out in
          for index in out.indices { out[index] = one[index % one.count] }
        })
    } else if take("hex") {
      bytes = try hexadecimal()
    } else {
      throw error("expected '[', 'fill' or 'hex'", at: mark)
    }
    guard bytes.count == shape.count * element.byteCount else {
      throw error(
        "\(bytes.count / element.byteCount) elements do not fill \(element)\(shape)", at: mark)
    }
    guard bytes.withUnsafeBytes({ GraphText.areElements($0, of: element) }) else {
      throw error("bytes that are not a \(element)", at: mark)
    }
    return Tensor(
      element, shape, quantization: quantization, writing: { $0.copyBytes(from: bytes) })
  }

  private mutating func appendElement(
    _ element: ElementType, to bytes: inout [UInt8]
  ) throws(ModelError) {
    func append(_ bits: UInt64) {
      for index in 0..<element.byteCount {
        bytes.append(UInt8(truncatingIfNeeded: bits >> (8 * index)))
      }
    }
    switch element {
    case .float16, .bfloat16, .float32, .float64: append(try floatBits(element))
    case .uint64: append(try integer(UInt64.self))
    case .bool: append(try boolean())
    default:
      let mark = mark
      let value = try integer(Int64.self)
      guard let range = element.integerRange, range.contains(value) else {
        throw error("\(value) is outside \(element)", at: mark)
      }
      append(UInt64(bitPattern: value))
    }
  }

  private mutating func boolean() throws(ModelError) -> UInt64 {
    let mark = mark
    switch word() {
    case "true": return 1
    case "false": return 0
    default: throw error("expected 'true' or 'false'", at: mark)
    }
  }

  private mutating func hexadecimal() throws(ModelError) -> [UInt8] {
    let mark = mark
    let digits = Array(try string().utf8)
    guard digits.count.isMultiple(of: 2) else { throw error("half a byte", at: mark) }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(digits.count / 2)
    for index in stride(from: 0, to: digits.count, by: 2) {
      guard let high = TextScanner.digit(digits[index]),
        let low = TextScanner.digit(digits[index + 1])
      else { throw error("expected hexadecimal digits", at: mark) }
      bytes.append(high << 4 | low)
    }
    return bytes
  }

  private static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 48...57: byte - 48
    case 97...102: byte - 87
    default: nil
    }
  }
}
