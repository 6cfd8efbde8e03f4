import TensorCore

extension JSON {
  /// Arrays and objects inside each other, at most.
  package static let maximumDepth = 32

  /// Reads one value and nothing after it.
  ///
  /// - Parameter canonical: refuse bytes that are not the canonical form of their value.
  /// - Throws: `malformed-input`, with the offset; `limit-exceeded` for nesting.
  package init(bytes: [UInt8], canonical: Bool = false) throws(ModelError) {
    var parser = JSONParser(bytes: bytes)
    self = try parser.value(depth: 0)
    parser.skipSpace()
    guard parser.position == bytes.count else { throw parser.error("bytes after the value") }
    guard !canonical || self.bytes == bytes else {
      throw ModelError(.malformedInput, "B8: the JSON is not in canonical form")
    }
  }
}

private struct JSONParser {
  let bytes: [UInt8]
  var position = 0

  func error(_ message: String, _ code: ModelError.Code = .malformedInput) -> ModelError {
    ModelError(code, "JSON, byte \(position): \(message)")
  }

  var current: UInt8? { position < bytes.count ? bytes[position] : nil }

  mutating func skipSpace() {
    while let byte = current, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
      position += 1
    }
  }

  mutating func take(_ expected: UInt8) -> Bool {
    guard current == expected else { return false }
    position += 1
    return true
  }

  mutating func value(depth: Int) throws(ModelError) -> JSON {
    guard depth <= JSON.maximumDepth else {
      throw error("more than \(JSON.maximumDepth) levels", .limitExceeded)
    }
    skipSpace()
    switch current {
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try array(depth: depth)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .boolean(true))
    case UInt8(ascii: "f"): return try word("false", .boolean(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    default: return try number()
    }
  }

  mutating func word(_ word: String, _ value: JSON) throws(ModelError) -> JSON {
    guard bytes[position...].starts(with: word.utf8) else { throw error("expected a value") }
    position += word.utf8.count
    return value
  }

  mutating func array(depth: Int) throws(ModelError) -> JSON {
    var entries: [JSON] = []
    position += 1
    skipSpace()
    if take(UInt8(ascii: "]")) { return .array(entries) }
    while true {
      entries.append(try value(depth: depth + 1))
      skipSpace()
      if take(UInt8(ascii: "]")) { return .array(entries) }
      guard take(UInt8(ascii: ",")) else { throw error("expected ',' or ']'") }
    }
  }

  mutating func object(depth: Int) throws(ModelError) -> JSON {
    var members: [String: JSON] = [:]
    position += 1
    skipSpace()
    if take(UInt8(ascii: "}")) { return .object(members) }
    while true {
      skipSpace()
      let key = try string()
      skipSpace()
      guard take(UInt8(ascii: ":")) else { throw error("expected ':'") }
      let value = try value(depth: depth + 1)
      guard members.updateValue(value, forKey: key) == nil else {
        throw error("key \"\(key)\" is there twice")
      }
      skipSpace()
      if take(UInt8(ascii: "}")) { return .object(members) }
      guard take(UInt8(ascii: ",")) else { throw error("expected ',' or '}'") }
    }
  }

  mutating func string() throws(ModelError) -> String {
    guard take(UInt8(ascii: "\"")) else { throw error("expected a string") }
    var text: [UInt8] = []
    while true {
      guard let next = current, next >= 0x20 else { throw error("the string does not end") }
      position += 1
      if next == UInt8(ascii: "\"") { break }
      if next == UInt8(ascii: "\\") { text += try escape() } else { text.append(next) }
    }
    guard let string = String(validating: text, as: UTF8.self) else {
      throw error("the string is not UTF-8")
    }
    return string
  }

  mutating func escape() throws(ModelError) -> [UInt8] {
    let next = current
    position += 1
    switch next {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [bytes[position - 1]]
    case UInt8(ascii: "b"): return [8]
    case UInt8(ascii: "t"): return [9]
    case UInt8(ascii: "n"): return [10]
    case UInt8(ascii: "f"): return [12]
    case UInt8(ascii: "r"): return [13]
    case UInt8(ascii: "u"):
      var unit = try hexadecimal()
      if (0xD800..<0xDC00).contains(unit), take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) {
        let low = try hexadecimal()
        guard (0xDC00..<0xE000).contains(low) else { throw error("half a surrogate pair") }
        unit = 0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(unit) else { throw error("half a surrogate pair") }
      return Array(String(Character(scalar)).utf8)
    default: throw error("unknown escape")
    }
  }

  mutating func hexadecimal() throws(ModelError) -> UInt32 {
    guard position + 4 <= bytes.count else { throw error("expected four hexadecimal digits") }
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard let digit = Character(Unicode.Scalar(bytes[position])).hexDigitValue,
        bytes[position] < 0x80
      else { throw error("expected four hexadecimal digits") }
      value = value << 4 | UInt32(digit)
      position += 1
    }
    return value
  }

  mutating func digits() throws(ModelError) {
    guard let byte = current, (48...57).contains(byte) else { throw error("expected a value") }
    while let byte = current, (48...57).contains(byte) { position += 1 }
  }

  mutating func number() throws(ModelError) -> JSON {
    let start = position
    let negative = take(UInt8(ascii: "-"))
    let firstDigit = position
    try digits()
    guard bytes[firstDigit] != 48 || position == firstDigit + 1 else {
      throw error("a number starts with 0")
    }
    var isWhole = true
    if take(UInt8(ascii: ".")) {
      isWhole = false
      try digits()
    }
    if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
      isWhole = false
      _ = take(UInt8(ascii: "+")) || take(UInt8(ascii: "-"))
      try digits()
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if isWhole, !(negative && text == "-0") {
      guard let value = Int(text) else { throw error("a whole number beyond 64 bits") }
      return .integer(value)
    }
    guard let value = Double(text), value.isFinite else {
      throw error("a number beyond the range of a double")
    }
    return .number(value)
  }
}
