import CZstd
import Foundation
import ModelBundle
import TensorCore

extension RejectedCorpus {
  /// A bundle, the good one where none is named, after a change.
  func forged(
    _ name: String, _ code: ModelError.Code, of bundle: [UInt8]? = nil,
    _ change: (inout Forge) throws -> Void
  ) throws -> Rejected {
    var forge = try Forge(bundle ?? good)
    try change(&forge)
    return Rejected(name, code, forge.bytes())
  }

  /// zstd frames that are no frames, lie, or unpack to more than they may.
  func frames() throws -> [Rejected] {
    let content = try Forge(good).parts[1].content
    let frame = Forge.pack(content)
    let skippable: [UInt8] = [0x50, 0x2A, 0x4D, 0x18, 4, 0, 0, 0, 1, 2, 3, 4]
    let noise: [UInt8] = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 7) }
    var corrupt = Forge.pack(noise)
    corrupt[corrupt.count / 2] ^= 0x55
    var reservedBit = frame
    reservedBit[4] |= 0x08
    var openBit = frame
    openBit[4] |= 0x10
    var dictionary = frame
    dictionary[4] |= 0x01
    var block = frame
    block[6] |= 0x06  // a block of the reserved type
    let cases: [(String, ModelError.Code, [UInt8])] = [
      ("empty", .malformedInput, []), ("bytes", .malformedInput, [1, 2, 3, 4, 5, 6, 7, 8]),
      ("magic-only", .malformedInput, Array(frame[..<4])),
      ("header-only", .malformedInput, Array(frame[..<6])),
      ("skippable", .malformedInput, skippable),
      ("skippable-before", .malformedInput, skippable + frame),
      ("skippable-after", .malformedInput, frame + skippable),
      ("two-frames", .malformedInput, frame + frame),
      ("rest", .malformedInput, frame + [0]), ("short", .malformedInput, frame.dropLast()),
      ("no-size", .malformedInput, Forge.pack(noise, [(ZSTD_c_contentSizeFlag, 0)])),
      ("checksum", .unsupportedFeature, Forge.pack(content, [(ZSTD_c_checksumFlag, 1)])),
      ("dictionary", .unsupportedFeature, dictionary),
      ("reserved-bit", .unsupportedFeature, reservedBit),
      ("open-bit", .unsupportedFeature, openBit), ("block-type", .malformedInput, block),
      ("old-format", .malformedInput, [0x27, 0xB5, 0x2F, 0xFD] + frame.dropFirst(4)),
    ]
    var rejected = try cases.map { name, code, frame in
      try forged("frame-\(name)", code) { $0.parts[1].frame = frame }
    }
    var forge = try Forge(good)
    forge.parts[1].content = noise
    forge.parts[1].frame = corrupt
    rejected.append(
      Rejected("frame-corrupt", oneOf: [.malformedInput, .integrityFailure], forge.bytes()))
    rejected.append(
      try forged("frame-size-lies", .malformedInput) {
        $0.parts[1].frame = frame
        $0.parts[1].lies = ["size": .integer(content.count - 1)]
      })
    // Content size 12 in the frame's own header becomes 11: the blocks hold one byte more.
    var shorter = frame
    shorter[5] = UInt8(content.count - 1)
    rejected.append(
      try forged("frame-own-size-lies", .malformedInput) {
        $0.parts[1].frame = shorter
        $0.parts[1].lies = ["size": .integer(content.count - 1)]
      })
    let zeros = [UInt8](repeating: 0, count: 80 << 20)
    let bomb = Forge.pack(zeros)
    rejected.append(
      try forged("bomb", .limitExceeded) {
        let index = $0.index("tensors", "constants")
        $0.parts[index].content = zeros
        $0.parts[index].frame = bomb
        $0.tensors = [
          ["element": "int8", "section": .integer(index), "shape": [.integer(80 << 20)]]
        ]
      })
    rejected.append(
      try forged("bomb-record", .limitExceeded) {
        $0.replace("record", "family", "\"" + String(repeating: "x", count: 17 << 20) + "\"")
      })
    // A window of 2^30 for a few bytes: descriptor without single segment, exponent 20.
    var window: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD, 0x80, 20 << 3]
    window += Forge.little(content.count, 4) + [UInt8(1 | content.count << 3), 0, 0] + content
    rejected.append(try forged("frame-window", .limitExceeded) { $0.parts[1].frame = window })
    return rejected
  }

  /// Tensors that are elsewhere, overlap, leave holes or hold no elements.
  func tensors() throws -> [Rejected] {
    let forge = try Forge(good)
    let first = forge.index("tensors", "constants")
    func entry(_ element: String, _ shape: [Int], _ section: Int) -> [String: JSON] {
      [
        "element": .string(element), "section": .integer(section),
        "shape": .array(shape.map { .integer($0) }),
      ]
    }
    var rejected: [Rejected] = []
    func add(_ name: String, _ code: ModelError.Code, _ change: (inout Forge) throws -> Void) throws
    {
      rejected.append(try forged("tensors-\(name)", code, change))
    }
    try add("in-record", .malformedInput) { $0.tensors[0]["section"] = 0 }
    try add("in-no-section", .malformedInput) { $0.tensors[0]["section"] = 99 }
    try add("decreasing", .malformedInput) { $0.tensors.swapAt(0, $0.tensors.count - 1) }
    try add("one-missing", .malformedInput) { $0.tensors.removeLast() }
    try add("one-too-many", .malformedInput) {
      $0.tensors.append(entry("int8", [1], $0.parts.count - 1))
    }
    try add("none", .malformedInput) { $0.tensors = [] }
    try add("shape-overflows", .limitExceeded) {
      $0.tensors[0]["shape"] = [.integer(1 << 40), .integer(1 << 40)]
    }
    try add("shape-wraps-to-small", .limitExceeded) {
      $0.tensors[0]["shape"] = [.integer(1 << 32), .integer(1 << 32), 16]
    }
    try add("bytes-overflow", .malformedInput) {
      $0.tensors[0] = entry("float64", [1 << 48], first)
    }
    try add("rank-17", .limitExceeded) {
      $0.tensors[0] = entry("float32", [Int](repeating: 1, count: 17), first)
    }
    try add("zero-then-huge", .malformedInput) {
      $0.tensors[0] = entry("float64", [1 << 48, 1], first)
    }
    for (element, value) in [("bool", 2), ("int4", 8), ("uint4", 16)] {
      try add("not-\(element)", .malformedInput) {
        // The golden tensors come last: one of bytes is put in their place.
        let index = $0.parts.count - 1
        let kept = $0.tensors.filter { $0["section"] != .integer(index) }
        $0.replace(index, [UInt8](repeating: UInt8(value), count: 8))
        $0.tensors = kept + [entry(element, [8], index)]
      }
    }
    return rejected
  }

  /// Graphs, records and golden cases that are truly packed and say what cannot be.
  func contents() throws -> [Rejected] {
    var rejected: [Rejected] = []
    func add(_ name: String, _ code: ModelError.Code, _ change: (inout Forge) throws -> Void) throws
    {
      rejected.append(try forged(name, code, change))
    }
    func graph(_ name: String, _ code: ModelError.Code, _ old: String, _ new: String) throws {
      try add("graph-\(name)", code) {
        let text = $0.text("graph", "main")
        let changed = text.replacingOccurrences(of: old, with: new)
        if changed == text { throw PlainReader.Failure("'\(old)' is not in \(text)") }
        $0.replace("graph", "main", changed)
      }
    }
    try graph("version", .unsupportedFeature, "graph 1", "graph 4")
    let branch = "graph {\nconstant %w: float32[4] = #0\noutput w = %w\n}"
    let choice =
      "constant %c: bool[] = [true]\n%z = If(%c) {then=\(branch), else=\(branch)}\noutput y"
    try graph("inner-of-version-1", .malformedInput, "output y", choice)
    let inner = { (text: String) in text.replacingOccurrences(of: "graph 1", with: "graph 2") }
    for (name, code, old, new) in [
      ("open", ModelError.Code.malformedInput, "w = %w\n}}", "w = %w\n}"),
      ("tensor", .malformedInput, "= #0\noutput w", "= #77\noutput w"),
      ("outside", .invalidGraph, "output w = %w", "output w = %c"),
      ("arity", .invalidGraph, "else=\(branch)", "else=graph {\n}"),
    ] {
      try add("graph-inner-\(name)", code) {
        let text = inner($0.text("graph", "main"))
          .replacingOccurrences(of: "output y", with: choice)
        $0.replace("graph", "main", text.replacingOccurrences(of: old, with: new))
      }
    }
    try graph("operator", .unsupportedOperator, "Relu(", "Rule(")
    try graph("attribute", .unsupportedAttribute, "axis=1", "axes=1")
    try graph("attribute-kind", .unsupportedAttribute, "axis=1", "axis=1.0")
    try graph("attribute-range", .invalidValue, "axis=1", "axis=2147483647")
    try graph("attribute-size", .limitExceeded, "axis=1", "axis=9223372036854775807")
    try graph("type", .invalidGraph, "%y: float32[N×4]", "%y: float32[N×5]")
    try graph("later-value", .invalidGraph, "Relu(%2)", "Relu(%y)")
    try graph("two-outputs", .invalidGraph, "output y = %y", "output y = %y\noutput y = %y")
    try graph("tensor-number", .malformedInput, "= #0", "= #77")
    try graph("tensor-of-golden-shape", .malformedInput, "= #0", "= #6")
    try graph("elided", .malformedInput, "= #0", "= …")
    try graph("inline-too-large", .limitExceeded, "float32[4] = #0", "float32[4194304] = fill 0")
    try graph("quantized", .notQuantizable, "%y: float32[N×4]", "%y: int8[N×4] @0.5+0")
    try graph("scale", .invalidValue, "%y: float32[N×4]", "%y: int8[N×4] @inf+0")
    try graph("symbol", .malformedInput, "[N×4]", "[N×4")
    try add("graph-not-utf8", .malformedInput) {
      $0.replace($0.index("graph", "main"), [0x67, 0xFF])
    }
    try add("graph-empty", .malformedInput) { $0.replace("graph", "main", "") }
    try add("graph-many-inputs", .limitExceeded) {
      let inputs = (0..<5000).map { "input %v\($0): bool[]\n" }
      $0.replace("graph", "main", "graph 1\n" + inputs.joined())
    }
    try add("manifest-missing", .malformedInput) {
      $0.parts[$0.index("record", "manifest")].name = "notice"
    }
    try add("manifest-other", .malformedInput) { $0.replace("record", "manifest", "{\"tool\":1}") }
    try add("record-spaced", .malformedInput) { $0.replace("record", "family", "{ \"slots\":96}") }
    try add("record-deep", .limitExceeded) {
      $0.replace("record", "family", String(repeating: "[", count: 100_000))
    }
    try add("record-empty", .malformedInput) { $0.replace("record", "family", "") }
    func golden(_ name: String, _ old: String, _ new: String) throws {
      try add("golden-\(name)", .malformedInput) {
        let text = $0.text("golden", "typical")
        let changed = text.replacingOccurrences(of: old, with: new)
        if changed == text { throw PlainReader.Failure("'\(old)' is not in \(text)") }
        $0.replace("golden", "typical", changed)
      }
    }
    try golden("graph", "\"graph\":\"main\"", "\"graph\":\"none\"")
    try golden("port", "\"name\":\"x\"", "\"name\":\"z\"")
    try golden("digest-port", "\"digests\":[{\"name\":\"y\"", "\"digests\":[{\"name\":\"z\"")
    try golden("digest", "\"sha256\":\"", "\"sha256\":\"A")
    try golden("tensor", "\"tensor\":5", "\"tensor\":50")
    try golden("tensor-shape", "\"tensor\":5", "\"tensor\":0")
    try golden("tensor-element", "\"tensor\":5", "\"tensor\":2")
    try golden("member", "\"graph\":\"main\"", "\"graph\":\"main\",\"path\":\"/etc\"")
    return rejected
  }
}
