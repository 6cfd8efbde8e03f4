import Foundation
import ModelBundle
import TensorCore

extension RejectedCorpus {
  /// Streams of weights that lie: the first section of `coding`, of a bundle, is one tensor of 24 channels.
  private func streams(
    _ coding: String, states count: Int, of bundle: [UInt8]
  ) throws -> [Rejected] {
    let forge = try Forge(bundle)
    guard let weights = forge.parts.firstIndex(where: { $0.coding == coding }) else {
      throw PlainReader.Failure("no weights of coding \(coding)")
    }
    let stored = forge.parts[weights].frame
    func replaced(_ index: Int, _ byte: UInt8) -> [UInt8] {
      var bytes = stored
      bytes[index] = byte
      return bytes
    }
    // Axis, numbers, states, words.
    let states = 1 + 24
    let words = states + 4 * count
    let forms: [(String, [UInt8])] = [
      ("empty", []), ("axis", replaced(0, 4)), ("number", replaced(5, 254)),
      ("no-numbers", Array(stored[..<20])), ("no-states", Array(stored[..<(words - 1)])),
      ("no-words", Array(stored[..<words])), ("half", Array(stored[..<(stored.count / 2)])),
      ("short", stored.dropLast(2)), ("odd", stored.dropLast()), ("rest", stored + [0, 0]),
      ("low-state", replaced(states + 2, 0).enumerated().map { $0 == states + 3 ? 0 : $1 }),
      (
        "low-last-state",
        replaced(words - 2, 0).enumerated().map { $0 == words - 1 ? 0 : $1 }
      ),
      ("other-axis", replaced(0, 2)), ("one-channel", replaced(0, 255)),
    ]
    return try forms.map { name, bytes in
      try forged("coding-\(coding)-\(name)", .malformedInput, of: bundle) {
        $0.parts[weights].frame = bytes
      }
    }
  }

  /// Bundles of versions 3 and 6 with codings that are none, or streams that lie (`B27`…`B30`, `B80`).
  func codings() throws -> [Rejected] {
    let manyStates = try Sample.writer(newestVersion: 6).bytes(of: try Sample.coded())
    var rejected =
      try streams("rans", states: 8, of: coded) + streams("lanes", states: 64, of: manyStates)
    func add(
      _ name: String, _ code: ModelError.Code, _ change: (inout Forge) throws -> Void
    ) throws {
      rejected.append(try forged("coding-\(name)", code, of: coded, change))
    }
    let forge = try Forge(coded)
    guard let weights = forge.parts.firstIndex(where: { $0.coding == "rans" }),
      let planes = forge.parts.firstIndex(where: { $0.coding == "planes" })
    else { throw PlainReader.Failure("no coded sections") }
    try add("rans-of-floats", .malformedInput) { $0.parts[planes].coding = "rans" }
    try add("planes-of-bytes", .malformedInput) { $0.parts[weights].coding = "planes" }
    try add("planes-frame", .malformedInput) { $0.parts[planes].frame = [1, 2, 3, 4, 5, 6, 7] }
    try add("zstd-of-weights", .malformedInput) { $0.parts[weights].coding = "zstd" }
    try add("planes-as-they-are", .integrityFailure) { $0.parts[planes].coding = "zstd" }
    try add("of-record", .malformedInput) { $0.parts[0].coding = "planes" }
    try add("lanes-of-version-3", .unsupportedFeature) { $0.parts[weights].coding = "lanes" }
    try add("unknown", .unsupportedFeature) { $0.parts[weights].coding = "best" }
    try add("missing", .malformedInput) { $0.parts[weights].coding = nil }
    try add("number-value", .malformedInput) { $0.parts[weights].lies = ["coding": 1] }
    // Distributions of one integer take no bits: the size alone must be refused.
    try add("rans-bomb", .limitExceeded) {
      let states: [UInt8] = (0..<8).flatMap { _ in [0, 0, 1, 0] as [UInt8] }
      $0.parts[weights].frame = [255, 0] + states
      $0.parts[weights].content = [UInt8](repeating: 0, count: 100 << 20)
      for index in $0.tensors.indices where $0.tensors[index]["section"] == .integer(weights) {
        $0.tensors[index]["shape"] = [.integer(100 << 20)]
      }
    }
    rejected.append(
      try forged("coding-lanes-of-version-5", .unsupportedFeature, of: manyStates) {
        $0.version = 5
      })
    try add("header-plain", .malformedInput) { $0.version = 1 }
    var bytes = coded
    bytes.replaceSubrange(64..<68, with: [1, 2, 3, 4])
    let length = Int(coded[16]) | Int(coded[17]) << 8
    rejected.append(
      Rejected(
        "coding-header-frame", .malformedInput,
        Forge.assemble(
          header: Array(bytes[64..<64 + length]), rest: Array(bytes[(64 + length)...]), version: 3))
    )
    rejected.append(
      Rejected(
        "coding-header-bomb", .limitExceeded,
        Forge.assemble(
          header: Forge.pack([UInt8](repeating: 32, count: 5 << 20)),
          rest: Array(bytes[(64 + length)...]), version: 3)))
    return rejected
  }
}
