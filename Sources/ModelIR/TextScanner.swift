import TensorCore

/// Walks over the bytes of a text, knowing line and column. Spaces and `//` comments are skipped before
/// every token; line breaks are skipped inside brackets only.
struct TextScanner {
  let bytes: [UInt8]
  private(set) var position = 0
  private(set) var line = 1
  private var lineStart = 0
  private var depth = 0

  init(_ text: String) { bytes = Array(text.utf8) }

  /// Where the next token is, for messages.
  var place: String {
    var next = self
    next.skip()
    let column = next.bytes[next.lineStart..<next.position].count { $0 & 0xC0 != 0x80 } + 1
    return "line \(next.line), column \(column)"
  }

  /// A place to go back to.
  struct Mark {
    fileprivate let position: Int
    fileprivate let line: Int
    fileprivate let lineStart: Int
  }

  var mark: Mark { Mark(position: position, line: line, lineStart: lineStart) }

  /// - Parameter mark: where the fault is; the next token where nil.
  func error(
    _ message: String, at mark: Mark? = nil, code: ModelError.Code = .malformedInput
  ) -> ModelError {
    var there = self
    if let mark {
      (there.position, there.line, there.lineStart) = (mark.position, mark.line, mark.lineStart)
    }
    return ModelError(code, "\(there.place): \(message)")
  }

  private func byte(_ offset: Int = 0) -> UInt8? {
    position + offset < bytes.count ? bytes[position + offset] : nil
  }

  mutating func skip() {
    while let next = byte() {
      switch next {
      case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"): position += 1
      case UInt8(ascii: "/") where byte(1) == UInt8(ascii: "/"):
        while let inside = byte(), inside != UInt8(ascii: "\n") { position += 1 }
      case UInt8(ascii: "\n") where depth > 0: advanceLine()
      default: return
      }
    }
  }

  private mutating func advanceLine() {
    position += 1
    line += 1
    lineStart = position
  }

  var isAtEnd: Bool { position == bytes.count }

  /// The next byte after spaces; nil at the end of the text.
  mutating func peek() -> UInt8? {
    skip()
    return byte()
  }

  /// Takes the line break that ends a statement, or the end of the text.
  mutating func endOfLine() throws(ModelError) {
    guard let next = peek() else { return }
    guard next == UInt8(ascii: "\n") else { throw error("expected the end of the line") }
    advanceLine()
  }

  /// Skips empty lines; false at the end of the text.
  mutating func nextStatement() -> Bool {
    while peek() == UInt8(ascii: "\n") { advanceLine() }
    return !isAtEnd
  }

  mutating func take(_ token: StaticString) -> Bool {
    skip()
    let matches = token.withUTF8Buffer { token in
      token.count <= bytes.count - position
        && token.indices.allSatisfy { bytes[position + $0] == token[$0] }
    }
    guard matches else { return false }
    position += token.utf8CodeUnitCount
    switch bytes[position - 1] {
    case UInt8(ascii: "("), UInt8(ascii: "["), UInt8(ascii: "{"): depth += 1
    case UInt8(ascii: ")"), UInt8(ascii: "]"), UInt8(ascii: "}"): depth -= 1
    default: break
    }
    return true
  }

  mutating func expect(_ token: StaticString) throws(ModelError) {
    guard take(token) else { throw error("expected '\(token)'") }
  }

  /// Takes `{`; line breaks end statements until ``closeBlock(_:)``.
  ///
  /// - Returns: what closing needs.
  mutating func openBlock() throws(ModelError) -> Int {
    try expect("{")
    let outer = depth
    depth = 0
    return outer
  }

  mutating func closeBlock(_ outer: Int) throws(ModelError) {
    depth = outer
    try expect("}")
  }

  /// Letters, digits, `_` and `.`; empty where there is none.
  mutating func word() -> Substring {
    skip()
    let start = position
    while let next = byte(), GraphText.isWord(next) { position += 1 }
    return text(start..<position)
  }

  private func text(_ range: Range<Int>) -> Substring {
    Substring(decoding: bytes[range], as: UTF8.self)
  }

  /// An identifier or a quoted string (`T3`, `T4`).
  mutating func name() throws(ModelError) -> String {
    if peek() == UInt8(ascii: "\"") { return try string() }
    let word = word()
    guard GraphText.isIdentifier(word) else { throw error("expected a name") }
    return String(word)
  }

  mutating func string() throws(ModelError) -> String {
    try expect("\"")
    var result: [UInt8] = []
    while true {
      guard let next = byte(), next != UInt8(ascii: "\n") else {
        throw error("the string has no closing quote")
      }
      position += 1
      if next == UInt8(ascii: "\"") { break }
      guard next == UInt8(ascii: "\\") else {
        result.append(next)
        continue
      }
      let escape = byte()
      position += escape == nil ? 0 : 1
      switch escape {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"): result.append(bytes[position - 1])
      case UInt8(ascii: "n"): result.append(UInt8(ascii: "\n"))
      case UInt8(ascii: "r"): result.append(UInt8(ascii: "\r"))
      case UInt8(ascii: "t"): result.append(UInt8(ascii: "\t"))
      case UInt8(ascii: "u"): result += try unicodeEscape()
      default: throw error("unknown escape in a string")
      }
    }
    return String(decoding: result, as: UTF8.self)
  }

  private mutating func unicodeEscape() throws(ModelError) -> [UInt8] {
    guard byte() == UInt8(ascii: "{") else { throw error("expected '{' after \\u") }
    let start = position + 1
    position = start
    while let next = byte(), next != UInt8(ascii: "}"), position - start < 9 { position += 1 }
    guard byte() == UInt8(ascii: "}"), position - start <= 8,
      let value = UInt32(text(start..<position), radix: 16), let scalar = Unicode.Scalar(value)
    else { throw error("\\u{…} needs a Unicode scalar in hexadecimal") }
    position += 1
    return Array(String(Character(scalar)).utf8)
  }

  /// One number, `inf`, `nan` or `0x…`, sign included, as it is written.
  mutating func number() throws(ModelError) -> Substring { text(try numberRange()) }

  private mutating func numberRange() throws(ModelError) -> Range<Int> {
    skip()
    let start = position
    if let sign = byte(), sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") { position += 1 }
    while let next = byte() {
      let exponentSign =
        (next == UInt8(ascii: "-") || next == UInt8(ascii: "+"))
        && (bytes[position - 1] | 0x20) == UInt8(ascii: "e") && position > start
        && !isHexadecimal(from: start)
      guard GraphText.isWord(next) || exponentSign else { break }
      position += 1
    }
    guard position > start else { throw error("expected a number") }
    return start..<position
  }

  private func isHexadecimal(from start: Int) -> Bool {
    start + 1 < bytes.count && bytes[start] == UInt8(ascii: "0")
      && bytes[start + 1] == UInt8(ascii: "x")
  }

  mutating func integer<I: FixedWidthInteger>(_: I.Type = I.self) throws(ModelError) -> I {
    let mark = mark
    let digits = try number()
    guard let value = I(digits) else {
      throw error("'\(digits)' is not a whole number in \(I.min)…\(I.max)", at: mark)
    }
    return value
  }

  /// A finite decimal, or `inf`, `-inf`, `nan`, or the bits `0x…`.
  mutating func float() throws(ModelError) -> Float {
    Float(bitPattern: UInt32(truncatingIfNeeded: try floatBits(.float32)))
  }

  /// The bits of one float of `type` (`T11`).
  mutating func floatBits(_ type: ElementType) throws(ModelError) -> UInt64 {
    let mark = mark
    let range = try numberRange()
    if type == .float32, let bits = bytes[range].withUnsafeBufferPointer(ShortDecimal.bits) {
      return UInt64(bits)
    }
    let digits = text(range)
    guard let bits = TextScanner.bits(of: digits, as: type) else {
      throw error("'\(digits)' is not a \(type)", at: mark)
    }
    return bits
  }

  private static func bits(of digits: Substring, as type: ElementType) -> UInt64? {
    if digits.hasPrefix("0x") {
      let hex = digits.dropFirst(2)
      guard hex.utf8.count == 2 * type.byteCount else { return nil }
      return UInt64(hex, radix: 16)
    }
    let special: (inf: UInt64, nan: UInt64, sign: UInt64) =
      switch type {
      case .float16: (0x7C00, 0x7E00, 0x8000)
      case .bfloat16: (0x7F80, 0x7FC0, 0x8000)
      case .float64: (0x7FF0_0000_0000_0000, 0x7FF8_0000_0000_0000, 1 << 63)
      default: (0x7F80_0000, 0x7FC0_0000, 0x8000_0000)
      }
    switch digits {
    case "inf": return special.inf
    case "-inf": return special.inf | special.sign
    case "nan": return special.nan
    default: break
    }
    let plain = digits.utf8.allSatisfy {
      GraphText.isDigit($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-")
        || $0 == UInt8(ascii: "+") || $0 | 0x20 == UInt8(ascii: "e")
    }
    guard plain else { return nil }
    switch type {
    case .float16: return Float16(digits).flatMap { $0.isFinite ? UInt64($0.bitPattern) : nil }
    case .bfloat16:
      return Float(digits).map { BFloat16($0) }.flatMap {
        $0.float.isFinite ? UInt64($0.bits) : nil
      }
    case .float64: return Double(digits).flatMap { $0.isFinite ? $0.bitPattern : nil }
    default: return Float(digits).flatMap { $0.isFinite ? UInt64($0.bitPattern) : nil }
    }
  }
}
