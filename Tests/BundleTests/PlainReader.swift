import CZstd
import Crypto
import Foundation

/// A second reader of `formats/bundle.md`, written from the document alone and as plainly as it goes: no
/// code of `ModelBundle`, no limits, no speed. What it reads, the fast reader must read too.
struct PlainReader {
  struct Failure: Error, CustomStringConvertible {
    let description: String
    init(_ clause: String) { description = clause }
  }

  struct Section {
    let kind: String
    let name: String
    let content: Data
  }

  struct StoredTensor: Equatable {
    let element: String
    let shape: [Int]
    let bytes: Data
  }

  private(set) var sections: [Section] = []
  private(set) var tensors: [StoredTensor] = []
  private(set) var publicKey: Data?

  init(_ file: Data) throws {
    func number(_ offset: Int, _ count: Int) -> Int {
      (0..<count).reversed().reduce(0) { $0 << 8 | Int(file[offset + $1]) }
    }
    // B2…B5: the preamble.
    try require("B2", file.count >= 64)
    try require("B2", Array(file[0..<8]) == [0x89, 0x4D, 0x41, 0x51, 0x0D, 0x0A, 0x1A, 0x0A])
    try require("B3", (1...6).contains(number(8, 4)) && number(12, 4) <= 1)
    try require("B4", number(24, 8) == file.count)
    let isSigned = number(12, 4) == 1
    let headerEnd = 64 + number(16, 8)
    let sectionsEnd = file.count - (isSigned ? 96 : 0)
    try require("B4", headerEnd <= sectionsEnd)
    let headerBytes = file[64..<headerEnd]
    try require("B5", Data(SHA256.hash(data: headerBytes)) == file[32..<64])

    // B18: the signature.
    if isSigned {
      let key = file[sectionsEnd..<sectionsEnd + 32]
      let message = Data("Maquette bundle 1\0".utf8) + file[0..<64]
      let isValid = try Curve25519.Signing.PublicKey(rawRepresentation: key)
        .isValidSignature(file[(sectionsEnd + 32)...], for: message)
      try require("B18", isValid)
      publicKey = Data(key)
    }

    // B7…B10: the header and the sections, one after the other.
    let isCoded = number(8, 4) >= 3
    let headerText =
      isCoded
      ? try unpack(
        headerBytes, size: Int(ZSTD_getFrameContentSize([UInt8](headerBytes), headerBytes.count)))
      : headerBytes
    // B70: from version 5 on, the header's length, the header, and contents of sections.
    let all = [UInt8](headerText)
    let isLong = number(8, 4) >= 5
    let jsonEnd = isLong ? 4 + (0..<4).reduce(0) { $0 | Int(all[$1]) << (8 * $1) } : all.count
    let header = try object(
      try JSONSerialization.jsonObject(with: Data(all[(isLong ? 4 : 0)..<jsonEnd])))
    var beside = jsonEnd
    var position = headerEnd
    for (index, entry) in try objects(header["sections"]).enumerated() {
      let size = try integer(entry["size"])
      if isLong, entry["coding"] as? String == "header" {
        try require("B70", beside + size <= all.count)
        let content = Data(all[beside..<beside + size])
        beside += size
        sections.append(
          Section(
            kind: try string(entry["kind"]), name: try string(entry["name"]), content: content)
        )
        continue
      }
      let stored = try integer(entry["stored"])
      try require("B10", position + stored <= sectionsEnd)
      let packed = file[position..<position + stored]
      let members = try objects(header["tensors"]).filter { try integer($0["section"]) == index }
      let content =
        switch isCoded ? try string(entry["coding"]) : "zstd" {
        case "zstd": try unpack(packed, size: size)
        case "planes": try joined(try unpack(packed, size: size), members)
        case "rans": try PlainWeights.read([UInt8](packed), members.map { try extents($0) })
        case "lanes" where number(8, 4) >= 6:
          try PlainWeights.read([UInt8](packed), members.map { try extents($0) }, many: true)
        case "groups" where number(8, 4) >= 4:
          try PlainWeights.readGroups([UInt8](packed), members.map { try extents($0) })
        default: throw Failure("B27")
        }
      position += stored
      let hash = SHA256.hash(data: content).map { String(format: "%02x", $0) }.joined()
      try require("B17", entry["sha256"] as? String == hash)
      sections.append(
        Section(kind: try string(entry["kind"]), name: try string(entry["name"]), content: content))
    }
    try require("B10", position == sectionsEnd)
    try require("B70", beside == all.count)

    // B13: tensors fill their sections, in order.
    var used = [Int](repeating: 0, count: sections.count)
    for entry in try objects(header["tensors"]) {
      let section = try integer(entry["section"])
      let shape = try extents(entry)
      let element = try string(entry["element"])
      let count = shape.reduce(1, *) * (try byteCount(of: element))
      let start = used[section]
      used[section] += count
      try require("B13", used[section] <= sections[section].content.count)
      tensors.append(
        StoredTensor(
          element: element, shape: shape,
          bytes: Data(sections[section].content[start..<start + count])))
    }
    for (index, section) in sections.enumerated() where section.kind == "tensors" {
      try require("B13", used[index] == section.content.count)
    }
    let hasJoin = sections.contains { $0.kind == "record" && $0.name == "join" }
    if number(8, 4) == 2 || isCoded && hasJoin { try readJoin() }
  }

  /// `B22`, `B24`: family, parts with their roles, and joins as `from.port rule to.port`.
  private(set) var join: (family: String, parts: [String], joins: [String])?

  private mutating func readJoin() throws {
    let graphs = sections.filter { $0.kind == "graph" }.map(\.name)
    guard let section = sections.first(where: { $0.kind == "record" && $0.name == "join" }) else {
      throw Failure("B22")
    }
    let json = try object(try JSONSerialization.jsonObject(with: section.content))
    let parts = try objects(json["parts"])
    try require("B22", try parts.map { try string($0["graph"]) } == graphs)
    let roles = try parts.map { try string($0["role"]) }
    try require("B22", Set(roles).count == roles.count)
    var feeders: [String: [String]] = [:]
    var ends: Set<String> = []
    var joins: [String] = []
    for entry in try objects(json["joins"]) {
      let (from, to) = (try object(entry["from"]), try object(entry["to"]))
      let (source, target) = (try string(from["part"]), try string(to["part"]))
      try require("B23", graphs.contains(source) && graphs.contains(target))
      let end = "\(target).\(try string(to["port"]))"
      try require("B24", ends.insert(end).inserted)
      feeders[target, default: []].append(source)
      joins.append("\(source).\(try string(from["port"])) \(try string(entry["rule"])) \(end)")
    }
    // B24: taking away what nothing feeds leaves nothing.
    var left = graphs
    while let free = left.first(where: { graph in
      !(feeders[graph] ?? []).contains { left.contains($0) }
    }) {
      left.removeAll { $0 == free }
    }
    try require("B24", left.isEmpty)
    join = (try string(json["family"]), zip(graphs, roles).map { "\($0) \($1)" }, joins)
  }

  /// `T8`, `T13`: names, types and tensors of a graph's constants.
  func constants(of graph: String) throws -> [(name: String, type: String, tensor: StoredTensor)] {
    guard let section = sections.first(where: { $0.kind == "graph" && $0.name == graph }) else {
      throw Failure("no graph \(graph)")
    }
    var constants: [(name: String, type: String, tensor: StoredTensor)] = []
    for line in String(decoding: section.content, as: UTF8.self).split(separator: "\n")
    where line.hasPrefix("constant %") {
      guard let equals = line.range(of: " = ", options: .backwards),
        let colon = line[..<equals.lowerBound].range(of: ": ", options: .backwards)
      else { throw Failure("T8: \(line)") }
      let type = try spelledOut(String(line[colon.upperBound..<equals.lowerBound]))
      let tensor = try elements(line[equals.upperBound...], type)
      var name = line[..<colon.lowerBound].dropFirst("constant %".count)
      if let quote = name.firstIndex(of: "\"") { name = name[quote...].dropFirst().dropLast() }
      constants.append((String(name), type, tensor))
    }
    return constants
  }

  /// `T13`, or `T12` of whole numbers of 64 bits (`B73`).
  private func elements(_ text: Substring, _ type: String) throws -> StoredTensor {
    if text.hasPrefix("#") {
      guard let number = Int(text.dropFirst()), tensors.indices.contains(number) else {
        throw Failure("T13: \(text)")
      }
      return tensors[number]
    }
    let extents = type.dropFirst("int64[".count).dropLast().split(separator: "×")
      .compactMap { Int($0) }
    let count = extents.reduce(1, *)
    let isFilled = text.hasPrefix("fill ")
    let words = (isFilled ? text.dropFirst(5) : text.dropFirst().dropLast())
      .split(separator: ", ").compactMap { Int64($0) }
    let numbers = isFilled ? (0..<count).flatMap { _ in words } : words
    try require("T12", type.hasPrefix("int64[") && numbers.count == count && count <= 8)
    let bytes = numbers.flatMap { number in
      (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
    }
    return StoredTensor(element: "int64", shape: extents, bytes: Data(bytes))
  }

  /// `T18`: a type whose scales `#n+k` or `#n+k*f` are a list.
  private func spelledOut(_ type: String) throws -> String {
    guard let sign = type.range(of: " #"), let open = type.firstIndex(of: "["),
      let axis = type.range(of: " @axis").flatMap({ Int(type[$0.upperBound..<sign.lowerBound]) })
    else { return type }
    let extents = type[open...].dropFirst().prefix { $0 != "]" }.split(separator: "×")
    let words = type[sign.upperBound...].split { "+*".contains($0) }
    guard words.count > 1, let number = Int(words[0]), let start = Int(words[1]),
      axis < extents.count, let count = Int(extents[axis]), tensors.indices.contains(number)
    else { throw Failure("T18: \(type)") }
    let bytes = [UInt8](tensors[number].bytes)
    try require("T18", tensors[number].element == "float32" && 4 * (start + count) <= bytes.count)
    let scales = (start..<start + count).map { index in
      let bits = (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[4 * index + $1]) << (8 * $1) }
      return Float(bitPattern: bits) * (words.count > 2 ? Float(words[2]) ?? 0 : 1)
    }
    return type[..<sign.lowerBound] + "[" + scales.map { "\($0)" }.joined(separator: ", ") + "]"
  }

  /// `B15`: a golden case's inputs or outputs.
  func golden(_ name: String, _ key: String) throws -> [(name: String, tensor: StoredTensor)] {
    guard let section = sections.first(where: { $0.kind == "golden" && $0.name == name }) else {
      throw Failure("no golden \(name)")
    }
    let json = try object(try JSONSerialization.jsonObject(with: section.content))
    return try objects(json[key]).map {
      (try string($0["name"]), tensors[try integer($0["tensor"])])
    }
  }
}

func require(_ clause: String, _ condition: Bool) throws {
  if !condition { throw PlainReader.Failure(clause) }
}

private func object(_ value: Any?) throws -> [String: Any] {
  guard let value = value as? [String: Any] else { throw PlainReader.Failure("not an object") }
  return value
}

private func objects(_ value: Any?) throws -> [[String: Any]] {
  guard let value = value as? [[String: Any]] else { throw PlainReader.Failure("not objects") }
  return value
}

private func string(_ value: Any?) throws -> String {
  guard let value = value as? String else { throw PlainReader.Failure("not a string") }
  return value
}

private func integer(_ value: Any?) throws -> Int {
  guard let value = value as? Int, value >= 0 else { throw PlainReader.Failure("not a count") }
  return value
}

/// `B11`: one zstd frame that says its content size.
private func unpack(_ frame: Data, size: Int) throws -> Data {
  let bytes = [UInt8](frame)
  try require("B11", ZSTD_getFrameContentSize(bytes, bytes.count) == UInt64(size))
  try require("B11", ZSTD_findFrameCompressedSize(bytes, bytes.count) == bytes.count)
  var content = [UInt8](repeating: 0, count: size)
  try require("B11", ZSTD_decompress(&content, size, bytes, bytes.count) == size)
  return Data(content)
}

/// `B28`: elements of their planes.
private func joined(_ planes: Data, _ members: [[String: Any]]) throws -> Data {
  let widths: Set<Int> = try Set(members.map { try byteCount(of: try string($0["element"])) })
  try require("B28", widths.count == 1)
  let width: Int = widths.first ?? 1
  let count = planes.count / width
  let bytes = [UInt8](planes)
  var content = Data()
  for element in 0..<count {
    for byte in 0..<width { content.append(bytes[byte * count + element]) }
  }
  return content
}

private func extents(_ entry: [String: Any]) throws -> [Int] {
  try (entry["shape"] as? [Any] ?? []).map { try integer($0) }
}

/// `B13`: bytes of one element.
private func byteCount(of element: String) throws -> Int {
  switch element {
  case "bool", "int4", "uint4", "int8", "uint8": 1
  case "float16", "bfloat16", "int16", "uint16": 2
  case "float32", "int32", "uint32": 4
  case "float64", "int64", "uint64": 8
  default: throw PlainReader.Failure("B13: \(element)")
  }
}
