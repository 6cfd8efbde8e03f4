import CZstd
import Foundation
import ModelBundle
import TensorCore

/// A bundle that no reader takes, and why.
struct Rejected: Sendable {
  let name: String
  let bytes: [UInt8]
  /// The codes that it may give; one but where a changed byte can be taken for several things.
  let codes: Set<String>

  init(_ name: String, _ code: ModelError.Code, _ bytes: [UInt8]) {
    self.name = name
    self.bytes = bytes
    codes = [code.rawValue]
  }

  init(_ name: String, oneOf codes: [ModelError.Code], _ bytes: [UInt8]) {
    self.name = name
    self.bytes = bytes
    self.codes = Set(codes.map(\.rawValue))
  }
}

/// Truncated, changed and hostile bundles, all made from one good one.
struct RejectedCorpus {
  let good: [UInt8]
  let signed: [UInt8]
  /// Of version 2.
  let joined: [UInt8]
  /// Of version 3.
  let coded: [UInt8]
  /// Of version 4.
  let grouped: [UInt8]
  /// Of version 5.
  let scaled: [UInt8]

  init() throws {
    good = try Sample.writer().bytes(of: try Sample.contents())
    joined = try Sample.writer().bytes(of: try Sample.joined())
    coded = try Sample.writer().bytes(of: try Sample.coded())
    grouped = try Sample.writer(codedBytes: 0).bytes(of: try Sample.grouped())
    scaled = try Sample.writer(newestVersion: 5).bytes(of: try Sample.scaled())
    signed = try Sample.writer(signingKey: try Sample.key()).bytes(of: try Sample.contents())
  }

  func all() throws -> [Rejected] {
    try truncated() + preambles() + headers() + jsonForms() + frames() + tensors() + contents()
      + joins() + banks() + signatures() + codings()
      + groups() + scales()
  }

  private var headerEnd: Int { 64 + Int(good[16]) | Int(good[17]) << 8 }

  private func forge(_ change: (inout Forge) throws -> Void) throws -> [UInt8] {
    var forge = try Forge(good)
    try change(&forge)
    return forge.bytes()
  }

  // MARK: - Lengths

  func truncated() throws -> [Rejected] {
    let forge = try Forge(good)
    let headerLength = Int(good[16]) | Int(good[17]) << 8
    var cuts = [0, 1, 7, 8, 11, 12, 16, 24, 31, 32, 63, 64, 65, 64 + headerLength / 2]
    var position = 64 + headerLength
    cuts += [position - 1, position]
    for part in forge.parts {
      cuts += [position + 1, position + part.frame.count / 2, position + part.frame.count - 1]
      position += part.frame.count
      if position < good.count { cuts.append(position) }
    }
    var rejected = Set(cuts).sorted().map {
      Rejected("cut-\($0)", .malformedInput, Array(good[..<$0]))
    }
    // The same with a length that owns up to it.
    for cut in Set(cuts).sorted() where cut >= 64 {
      var bytes = Array(good[..<cut])
      bytes.replaceSubrange(24..<32, with: Forge.little(cut, 8))
      rejected.append(Rejected("cut-\(cut)-owned", .malformedInput, bytes))
    }
    for count in [1, 64, 96, 4096] {
      rejected.append(
        Rejected("trailing-\(count)", .malformedInput, good + [UInt8](repeating: 0, count: count)))
      var bytes = good + [UInt8](repeating: 0, count: count)
      bytes.replaceSubrange(24..<32, with: Forge.little(bytes.count, 8))
      rejected.append(Rejected("trailing-\(count)-owned", .malformedInput, bytes))
    }
    return rejected
  }

  func preambles() -> [Rejected] {
    var rejected: [Rejected] = []
    for offset in 0..<64 {
      var bytes = good
      bytes[offset] ^= 0x40
      let codes: [ModelError.Code] =
        switch offset {
        case 0..<8, 24..<32: [.malformedInput]
        case 8..<16: [.unsupportedFeature]
        case 16..<24: [.limitExceeded, .malformedInput, .integrityFailure]
        default: [.integrityFailure]
        }
      rejected.append(Rejected("preamble-\(offset)", oneOf: codes, bytes))
    }
    var bytes = good
    bytes[12] = 1
    rejected.append(Rejected("claims-signature", .integrityFailure, bytes))
    bytes = good
    bytes[8] = 0
    rejected.append(Rejected("version-0", .unsupportedFeature, bytes))
    bytes[8] = 2
    rejected.append(Rejected("version-2", .malformedInput, bytes))
    bytes[8] = 3
    rejected.append(Rejected("version-3", .malformedInput, bytes))
    bytes[8] = 4
    rejected.append(Rejected("version-4", .malformedInput, bytes))
    bytes[8] = 5
    rejected.append(Rejected("version-5", .malformedInput, bytes))
    bytes[8] = 6
    rejected.append(Rejected("version-6", .malformedInput, bytes))
    bytes[8] = 7
    rejected.append(Rejected("version-7", .unsupportedFeature, bytes))
    let huge = [UInt8](repeating: 0xFF, count: 8)
    bytes = good
    bytes.replaceSubrange(16..<24, with: huge)
    rejected.append(Rejected("header-length-max", .limitExceeded, bytes))
    bytes = good
    bytes.replaceSubrange(24..<32, with: huge)
    rejected.append(Rejected("file-length-max", .malformedInput, bytes))
    bytes = good
    bytes.replaceSubrange(16..<24, with: Forge.little(good.count - 63, 8))
    rejected.append(Rejected("header-past-end", .malformedInput, bytes))
    return rejected
  }

  // MARK: - Header

  func headers() throws -> [Rejected] {
    let wrong: [(String, JSON?)] = [
      ("missing", nil), ("null", .null), ("negative", -1), ("huge", .integer(1 << 62)),
      ("fraction", .number(1.5)), ("array", []), ("object", [:]), ("true", true), ("text", "?"),
    ]
    var rejected: [Rejected] = []
    for key in ["kind", "name", "sha256", "size", "stored"] {
      for (what, value) in wrong {
        // A name may be any text; unknown kinds may come with later versions.
        if key == "name", what == "text" { continue }
        let code: ModelError.Code =
          key == "kind" && what == "text"
          ? .unsupportedFeature : key == "size" && what == "huge" ? .limitExceeded : .malformedInput
        rejected.append(
          Rejected(
            "section-\(key)-\(what)", code,
            try forge { $0.parts[1].lies = [key: value] }))
      }
    }
    for key in ["element", "section", "shape"] {
      for (what, value) in wrong {
        // An empty shape is a scalar: the tensors then do not fill their section.
        let code: ModelError.Code =
          key == "element" && what == "text" ? .unsupportedFeature : .malformedInput
        rejected.append(
          Rejected("tensor-\(key)-\(what)", code, try forge { $0.tensors[0][key] = value }))
      }
    }
    func add(_ name: String, _ code: ModelError.Code, _ change: (inout Forge) -> Void) throws {
      rejected.append(Rejected(name, code, try forge(change)))
    }
    try add("size-one-more", .malformedInput) { $0.parts[1].lies = ["size": 13] }
    try add("stored-one-more", .malformedInput) {
      $0.parts[1].lies = ["stored": .integer($0.parts[1].frame.count + 1)]
    }
    try add("sections-overlap", .malformedInput) {
      $0.parts[0].lies = ["stored": .integer($0.parts[0].frame.count + 5)]
      $0.parts[1].lies = ["stored": .integer($0.parts[1].frame.count - 5)]
    }
    try add("stored-sum-overflows", .malformedInput) {
      $0.parts[0].lies = ["stored": .integer(.max)]
      $0.parts[1].lies = ["stored": .integer(.max)]
    }
    try add("size-sum-overflows", .limitExceeded) {
      for index in $0.parts.indices where $0.parts[index].kind == "tensors" {
        $0.parts[index].lies = ["size": .integer(1 << 33)]
      }
    }
    try add("unknown-member", .malformedInput) { $0.extra = ["more": 1] }
    try add("section-unknown-member", .malformedInput) { $0.parts[0].lies = ["path": "../a"] }
    try add("tensor-unknown-member", .malformedInput) { $0.tensors[0]["offset"] = 0 }
    try add("sections-missing", .malformedInput) {
      $0.header = { _ in Array("{\"tensors\":[]}".utf8) }
    }
    try add("out-of-order", .malformedInput) { $0.parts.swapAt(2, 3) }
    try add("duplicate-record", .malformedInput) { $0.parts[1].name = "calibration" }
    try add("duplicate-graph", .malformedInput) {
      $0.parts[$0.index("graph", "bank")].name = "main"
    }
    try add("long-name", .limitExceeded) {
      $0.parts[1].name = String(repeating: "n", count: 1025)
    }
    try add("too-many-tensors", .limitExceeded) {
      let empty: [String: JSON] = [
        "element": "int8", "section": $0.tensors[0]["section"] ?? 0, "shape": [0],
      ]
      $0.tensors.insert(contentsOf: [[String: JSON]](repeating: empty, count: 65_537), at: 0)
    }
    try add("header-too-long", .limitExceeded) {
      $0.extra = ["more": .string(String(repeating: "x", count: 5 << 20))]
    }
    for (index, part) in try Forge(good).parts.enumerated() {
      try add("digest-\(index)-\(part.kind)", .integrityFailure) {
        $0.parts[index].lies = ["sha256": .string(Digest(of: [UInt8(index)]).description)]
      }
    }
    return rejected
  }

  /// The header's JSON in other forms than the canonical one, and no JSON at all.
  func jsonForms() throws -> [Rejected] {
    let text = String(decoding: try Forge(good).json.bytes, as: UTF8.self)
    let forms: [(String, String)] = [
      ("empty", ""), ("space", " " + text), ("trailing-space", text + "\n"),
      ("byte-order-mark", "\u{FEFF}" + text), ("twice", text + text),
      ("inner-space", text.replacingOccurrences(of: ",\"size\"", with: ", \"size\"")),
      ("unclosed", String(text.dropLast())), ("array", "[\(text)]"), ("number", "1"),
      (
        "duplicate-key",
        text.replacingOccurrences(of: "\"size\":12,", with: "\"size\":12,\"size\":12,")
      ),
      ("leading-zero", text.replacingOccurrences(of: "\"size\":12,", with: "\"size\":012,")),
      ("plus", text.replacingOccurrences(of: "\"size\":12,", with: "\"size\":+12,")),
      ("point", text.replacingOccurrences(of: "\"size\":12,", with: "\"size\":12.0,")),
      ("exponent", text.replacingOccurrences(of: "\"size\":12,", with: "\"size\":12e0,")),
      (
        "beyond-64",
        text.replacingOccurrences(of: "\"size\":12,", with: "\"size\":99999999999999999999,")
      ),
      (
        "unsorted",
        text.replacingOccurrences(
          of: "{\"kind\":\"record\",\"name\":\"family\",",
          with: "{\"name\":\"family\",\"kind\":\"record\",")
      ),
      ("escape", text.replacingOccurrences(of: "\"family\"", with: "\"f\\u0061mily\"")),
      ("bad-escape", text.replacingOccurrences(of: "\"family\"", with: "\"f\\amily\"")),
      ("half-surrogate", text.replacingOccurrences(of: "\"family\"", with: "\"\\ud800\"")),
      ("slash-escape", text.replacingOccurrences(of: "\"family\"", with: "\"\\/\"")),
      ("control", text.replacingOccurrences(of: "\"family\"", with: "\"\u{1}\"")),
      ("comma", text.replacingOccurrences(of: "]}", with: ",]}")),
      ("nan", text.replacingOccurrences(of: "\"size\":12,", with: "\"size\":NaN,")),
    ]
    var rejected = try forms.map { name, form in
      Rejected("json-\(name)", .malformedInput, try forge { $0.header = { _ in Array(form.utf8) } })
    }
    let invalid = Array(text.utf8).map { $0 == UInt8(ascii: "f") ? 0xFF : $0 }
    rejected.append(
      Rejected("json-not-utf8", .malformedInput, try forge { $0.header = { _ in invalid } }))
    for (name, open) in [("arrays", "["), ("objects", "{\"a\":")] {
      let deep = Array(String(repeating: open, count: 200_000).utf8)
      rejected.append(
        Rejected("json-deep-\(name)", .limitExceeded, try forge { $0.header = { _ in deep } }))
    }
    return rejected
  }

  // MARK: - Signatures

  func signatures() -> [Rejected] {
    var rejected: [Rejected] = []
    for (name, offset) in [
      ("key", signed.count - 96), ("signature-r", signed.count - 64),
      ("signature-s", signed.count - 1),
    ] {
      var bytes = signed
      bytes[offset] ^= 1
      rejected.append(Rejected("signed-\(name)", .integrityFailure, bytes))
    }
    var bytes = signed
    bytes[12] = 0
    rejected.append(Rejected("signed-flag-cleared", .malformedInput, bytes))
    bytes = Array(signed.dropLast(96))
    rejected.append(Rejected("signed-stripped", .malformedInput, bytes))
    bytes.replaceSubrange(24..<32, with: Forge.little(bytes.count, 8))
    rejected.append(Rejected("signed-stripped-owned", .integrityFailure, bytes))
    // Another bundle under the signature of this one.
    let other = good.replacing(
      "\"name\":\"calibration\"".utf8, with: "\"name\":\"calibratioN\"".utf8)
    let header = Array(other[64..<64 + (Int(good[16]) | Int(good[17]) << 8)])
    bytes = Forge.assemble(
      header: header, rest: Array(other[(64 + header.count)...]) + signed.suffix(96), flags: 1)
    rejected.append(Rejected("signed-other-header", .integrityFailure, bytes))
    bytes = Forge.assemble(
      header: Array("{}".utf8), rest: [UInt8](repeating: 0, count: 95), flags: 1)
    rejected.append(Rejected("signed-too-short", .malformedInput, bytes))
    return rejected
  }
}
