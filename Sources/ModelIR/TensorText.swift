import TensorCore

/// Types, elements and attributes as text (`T5`, `T11`, `T12`, `T15` of `formats/text.md`).
enum TensorText {
  /// Elements up to which a constant is written as a list.
  static let longestList = 1024

  static func type(_ type: TensorType, limit: Int?) -> String {
    var text = (type.isSequence ? "sequence " : "") + type.element.rawValue
    if let dimensions = type.dimensions {
      text += "[" + dimensions.map(dimension).joined(separator: "×") + "]"
    } else {
      text += "[…]"
    }
    guard let quantization = type.quantization else { return text }
    guard let axis = quantization.axis else {
      let zero = quantization.zeroPoint
      return text + " @" + float(quantization.scale) + (zero < 0 ? "" : "+") + String(zero)
    }
    return text + " @axis\(axis)" + list(quantization.scales.map(float), limit: limit)
  }

  static func dimension(_ dimension: Dimension) -> String {
    switch dimension {
    case .fixed(let value): String(value)
    case .symbol(let name): GraphText.word(name)
    case .unknown: "?"
    }
  }

  static func list(_ entries: [String], limit: Int?) -> String {
    guard let limit, entries.count > limit else {
      return "[" + entries.joined(separator: ", ") + "]"
    }
    return "[" + entries.prefix(limit).map { $0 + ", " }.joined() + "…]"
  }

  // MARK: - Elements

  static func elements(_ tensor: Tensor, limit: Int?) -> String {
    let width = tensor.element.byteCount
    let bytes = tensor.bytes
    if tensor.count > 4, bytes.dropFirst(width).elementsEqual(bytes.dropLast(width)) {
      return "fill " + element(tensor.element, bytes, 0)
    }
    if let limit, tensor.count > limit {
      let shown = (0..<limit).map { element(tensor.element, bytes, $0) + ", " }
      return "[" + shown.joined() + "…]"
    }
    if tensor.count > longestList {
      return "hex \"" + hex(bytes) + "\""
    }
    let all = (0..<tensor.count).map { element(tensor.element, bytes, $0) }
    return "[" + all.joined(separator: ", ") + "]"
  }

  static func element(_ type: ElementType, _ bytes: UnsafeRawBufferPointer, _ index: Int) -> String
  {
    func load<T: BitwiseCopyable>(_: T.Type) -> T {
      bytes.loadUnaligned(fromByteOffset: index * type.byteCount, as: T.self)
    }
    switch type {
    case .float32: return float(load(Float.self))
    case .float64:
      let value = load(Double.self)
      return special(value, canonicalNaN: 0x7FF8_0000_0000_0000, value.bitPattern, digits: 16)
        ?? "\(value)"
    case .float16:
      let value = load(Float16.self)
      return special(value, canonicalNaN: 0x7E00, UInt64(value.bitPattern), digits: 4)
        ?? "\(value)"
    case .bfloat16:
      let value = load(BFloat16.self)
      return special(value.float, canonicalNaN: 0x7FC0, UInt64(value.bits), digits: 4)
        ?? "\(value.float)"
    case .int4, .int8: return String(load(Int8.self))
    case .uint4, .uint8: return String(load(UInt8.self))
    case .int16: return String(load(Int16.self))
    case .uint16: return String(load(UInt16.self))
    case .int32: return String(load(Int32.self))
    case .uint32: return String(load(UInt32.self))
    case .int64: return String(load(Int64.self))
    case .uint64: return String(load(UInt64.self))
    case .bool: return load(UInt8.self) == 0 ? "false" : "true"
    }
  }

  /// The shortest decimal that reads back as the same bits.
  static func float(_ value: Float) -> String {
    special(value, canonicalNaN: 0x7FC0_0000, UInt64(value.bitPattern), digits: 8) ?? "\(value)"
  }

  private static func special(
    _ value: some BinaryFloatingPoint, canonicalNaN: UInt64, _ bits: UInt64, digits: Int
  ) -> String? {
    if value.isNaN { return bits == canonicalNaN ? "nan" : "0x" + padded(bits, digits: digits) }
    if value.isInfinite { return value.sign == .minus ? "-inf" : "inf" }
    return nil
  }

  private static func padded(_ bits: UInt64, digits: Int) -> String {
    let text = String(bits, radix: 16)
    return String(repeating: "0", count: max(0, digits - text.count)) + text
  }

  static func hex(_ bytes: UnsafeRawBufferPointer) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(unsafeUninitializedCapacity: bytes.count * 2) { out in
      for (index, byte) in bytes.enumerated() {
        out[2 * index] = digits[Int(byte >> 4)]
        out[2 * index + 1] = digits[Int(byte & 15)]
      }
      return bytes.count * 2
    }
  }

  // MARK: - Attributes

  /// The value of an attribute; of a graph, which takes lines of its own, only what it is.
  static func attribute(_ attribute: Attribute, limit: Int?) -> String {
    switch attribute {
    case .boolean(let value): value ? "true" : "false"
    case .integer(let value): String(value)
    case .float(let value): float(value)
    case .string(let value): GraphText.quoted(value)
    case .integers(let list): typed("integers", list.map(String.init), limit)
    case .floats(let list): typed("floats", list.map(float), limit)
    case .strings(let list): typed("strings", list.map(GraphText.quoted), limit)
    case .tensor(let tensor): type(tensor.type, limit: limit) + " " + elements(tensor, limit: limit)
    case .graph: "graph"
    case .none: "none"
    }
  }

  /// An empty list says what it is a list of.
  private static func typed(_ kind: String, _ entries: [String], _ limit: Int?) -> String {
    entries.isEmpty ? kind + "[]" : list(entries, limit: limit)
  }
}

extension GraphText {
  /// False where a byte is no `bool`, `int4` or `uint4`; every byte is one of the other types.
  package static func areElements(_ bytes: UnsafeRawBufferPointer, of type: ElementType) -> Bool {
    switch type {
    case .bool: bytes.allSatisfy { $0 <= 1 }
    case .uint4: bytes.allSatisfy { $0 <= 15 }
    case .int4: bytes.allSatisfy { (-8...7).contains(Int8(bitPattern: $0)) }
    default: true
    }
  }
}
