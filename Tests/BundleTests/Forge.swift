import CZstd
import Crypto
import Foundation
import ModelBundle

/// Takes a bundle apart and puts it together again with lies in it. Lengths and digests of the preamble
/// are true unless they are what the lie is about.
struct Forge {
  struct Part {
    var kind: String
    var name: String
    var content: [UInt8]
    var frame: [UInt8]
    /// From version 3 on.
    var coding: String?
    /// Members of the header's entry that differ from the truth; nil removes one.
    var lies: [String: JSON?] = [:]
  }

  var parts: [Part] = []
  var tensors: [[String: JSON]] = []
  /// The header's bytes, made from its JSON.
  var header: (JSON) -> [UInt8] = { $0.bytes }
  /// From version 5 on, the length of the header where it is a lie, and what follows the contents beside it.
  var headerLength: Int?
  var rest: [UInt8] = []
  /// Members that the header has besides `sections` and `tensors`.
  var extra: [String: JSON] = [:]
  /// Of the bundle that was taken apart.
  var version: UInt8

  init(_ bundle: [UInt8]) throws {
    version = bundle[8]
    let plain = try PlainReader(Data(bundle))
    let headerLength = Int(bundle[16]) | Int(bundle[17]) << 8
    var headerBytes = Array(bundle[64..<64 + headerLength])
    if version >= 3 { headerBytes = try Forge.unpack(headerBytes) }
    if version >= 5 {
      let length = (0..<4).reduce(0) { $0 | Int(headerBytes[$1]) << (8 * $1) }
      headerBytes = Array(headerBytes[4..<4 + length])
    }
    guard case .object(let header) = try JSON(bytes: headerBytes),
      case .array(let sections)? = header["sections"],
      case .array(let tensors)? = header["tensors"]
    else { throw PlainReader.Failure("header") }
    var position = 64 + headerLength
    for (section, json) in zip(plain.sections, sections) {
      guard case .object(let members) = json else { throw PlainReader.Failure("section") }
      let stored = if case .integer(let stored)? = members["stored"] { stored } else { 0 }
      parts.append(
        Part(
          kind: section.kind, name: section.name, content: [UInt8](section.content),
          frame: Array(bundle[position..<position + stored]),
          coding: {
            if case .string(let name)? = members["coding"] { name } else { nil }
          }()))
      position += stored
    }
    for case .object(let members) in tensors { self.tensors.append(members) }
  }

  func index(_ kind: String, _ name: String) -> Int {
    parts.firstIndex { $0.kind == kind && $0.name == name } ?? 0
  }

  /// The part with other content, which is packed and digested truly.
  mutating func replace(_ index: Int, _ content: [UInt8]) {
    parts[index].content = content
    guard parts[index].coding != "header" else { return }
    parts[index].frame = Forge.pack(content)
    if version >= 3 { parts[index].coding = "zstd" }
  }

  mutating func replace(_ kind: String, _ name: String, _ text: String) {
    replace(index(kind, name), Array(text.utf8))
  }

  func text(_ kind: String, _ name: String) -> String {
    String(decoding: parts[index(kind, name)].content, as: UTF8.self)
  }

  var json: JSON {
    let sections = parts.map { part in
      var members: [String: JSON] = [
        "kind": .string(part.kind), "name": .string(part.name),
        "sha256": .string(Digest(of: part.content).description),
        "size": .integer(part.content.count), "stored": .integer(part.frame.count),
      ]
      if let coding = part.coding { members["coding"] = .string(coding) }
      if part.coding == "header" { (members["sha256"], members["stored"]) = (nil, nil) }
      for (key, value) in part.lies { members[key] = value }
      return JSON.object(members)
    }
    let members: [String: JSON] = [
      "sections": .array(sections), "tensors": .array(tensors.map { .object($0) }),
    ]
    return .object(members.merging(extra) { $1 })
  }

  func bytes() -> [UInt8] {
    var header = header(json)
    if version >= 5 {
      header = Forge.little(headerLength ?? header.count, 4) + header
      header += parts.filter { $0.coding == "header" }.flatMap(\.content) + rest
    }
    return Forge.assemble(
      header: version >= 3 ? Forge.pack(header) : header, rest: parts.flatMap(\.frame),
      version: version)
  }

  static func assemble(
    header: [UInt8], rest: [UInt8], flags: UInt8 = 0, fileLength: Int? = nil,
    headerLength: Int? = nil, version: UInt8 = 1
  ) -> [UInt8] {
    let magic: [UInt8] = [0x89, 0x4D, 0x41, 0x51, 0x0D, 0x0A, 0x1A, 0x0A]
    let file =
      magic + little(Int(version), 4) + [flags, 0, 0, 0] + little(headerLength ?? header.count, 8)
    let length = little(fileLength ?? 64 + header.count + rest.count, 8)
    return file + length + Array(SHA256.hash(data: header)) + header + rest
  }

  static func little(_ value: Int, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }

  static func unpack(_ frame: [UInt8]) throws -> [UInt8] {
    let size = Int(ZSTD_getFrameContentSize(frame, frame.count))
    var content = [UInt8](repeating: 0, count: size)
    guard ZSTD_decompress(&content, size, frame, frame.count) == size else {
      throw PlainReader.Failure("frame")
    }
    return content
  }

  static func pack(_ content: [UInt8], level: Int32 = 3) -> [UInt8] {
    var frame = [UInt8](repeating: 0, count: ZSTD_compressBound(content.count))
    let count = ZSTD_compress(&frame, frame.count, content, content.count, level)
    return Array(frame[..<count])
  }

  /// A frame with parameters that bundles do not have.
  static func pack(_ content: [UInt8], _ parameters: [(ZSTD_cParameter, Int32)]) -> [UInt8] {
    let context = ZSTD_createCCtx()
    defer { ZSTD_freeCCtx(context) }
    for (parameter, value) in parameters { ZSTD_CCtx_setParameter(context, parameter, value) }
    var frame = [UInt8](repeating: 0, count: ZSTD_compressBound(content.count))
    let count = ZSTD_compress2(context, &frame, frame.count, content, content.count)
    return Array(frame[..<count])
  }
}
