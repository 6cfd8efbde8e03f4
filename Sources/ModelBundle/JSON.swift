import TensorCore

/// A JSON value with one canonical form (`B8` of `formats/bundle.md`): keys in the order of their UTF-8
/// bytes, no spaces, whole numbers apart from others.
package enum JSON: Sendable, Hashable {
  case null
  case boolean(Bool)
  case integer(Int)
  case number(Double)
  case string(String)
  case array([JSON])
  case object([String: JSON])

  /// The canonical bytes.
  package var bytes: [UInt8] {
    var out: [UInt8] = []
    write(to: &out)
    return out
  }

  private func write(to out: inout [UInt8]) {
    switch self {
    case .null: out += "null".utf8
    case .boolean(let value): out += (value ? "true" : "false").utf8
    case .integer(let value): out += String(value).utf8
    case .number(let value): out += (value.isFinite ? String(value) : "null").utf8
    case .string(let value): JSON.write(value, to: &out)
    case .array(let entries):
      out.append(UInt8(ascii: "["))
      for (index, entry) in entries.enumerated() {
        if index > 0 { out.append(UInt8(ascii: ",")) }
        entry.write(to: &out)
      }
      out.append(UInt8(ascii: "]"))
    case .object(let members):
      out.append(UInt8(ascii: "{"))
      let sorted = members.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
      for (index, member) in sorted.enumerated() {
        if index > 0 { out.append(UInt8(ascii: ",")) }
        JSON.write(member.key, to: &out)
        out.append(UInt8(ascii: ":"))
        member.value.write(to: &out)
      }
      out.append(UInt8(ascii: "}"))
    }
  }

  private static func write(_ string: String, to out: inout [UInt8]) {
    let digits = Array("0123456789abcdef".utf8)
    out.append(UInt8(ascii: "\""))
    for byte in string.utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"): out += [UInt8(ascii: "\\"), byte]
      case 8: out += "\\b".utf8
      case 9: out += "\\t".utf8
      case 10: out += "\\n".utf8
      case 12: out += "\\f".utf8
      case 13: out += "\\r".utf8
      case 0..<32: out += "\\u00".utf8 + [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      default: out.append(byte)
      }
    }
    out.append(UInt8(ascii: "\""))
  }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByArrayLiteral,
  ExpressibleByBooleanLiteral, ExpressibleByDictionaryLiteral
{
  package init(stringLiteral value: String) { self = .string(value) }
  package init(integerLiteral value: Int) { self = .integer(value) }
  package init(booleanLiteral value: Bool) { self = .boolean(value) }
  package init(arrayLiteral elements: JSON...) { self = .array(elements) }
  package init(dictionaryLiteral elements: (String, JSON)...) {
    self = .object(Dictionary(elements, uniquingKeysWith: { $1 }))
  }
}

// MARK: - Fields of known records

extension JSON {
  func object(_ what: String) throws(ModelError) -> [String: JSON] {
    guard case .object(let members) = self else { throw JSON.mismatch(what, "an object") }
    return members
  }

  func array(_ what: String) throws(ModelError) -> [JSON] {
    guard case .array(let entries) = self else { throw JSON.mismatch(what, "an array") }
    return entries
  }

  func string(_ what: String) throws(ModelError) -> String {
    guard case .string(let value) = self else { throw JSON.mismatch(what, "a string") }
    return value
  }

  /// A whole number that is not negative.
  func count(_ what: String) throws(ModelError) -> Int {
    guard case .integer(let value) = self, value >= 0 else {
      throw JSON.mismatch(what, "a whole number from 0")
    }
    return value
  }

  /// The members of an object that has exactly `keys`.
  func members(_ keys: Set<String>, of what: String) throws(ModelError) -> [String: JSON] {
    let members = try object(what)
    guard Set(members.keys) == keys else {
      throw JSON.mismatch(what, "an object of \(keys.sorted().joined(separator: ", "))")
    }
    return members
  }

  private static func mismatch(_ what: String, _ wanted: String) -> ModelError {
    ModelError(.malformedInput, "\(what) is not \(wanted)")
  }
}

extension [String: JSON] {
  /// A member that ``JSON/members(_:of:)`` has found.
  func member(_ key: String) -> JSON { self[key] ?? .null }
}
