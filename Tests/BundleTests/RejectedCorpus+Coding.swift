import Foundation
import ModelBundle
import TensorCore

extension RejectedCorpus {
  /// Bundles of version 3 with codings that are none, or streams that lie (`B27`…`B30`).
  func codings() throws -> [Rejected] {
    var rejected: [Rejected] = []
    func add(
      _ name: String, _ code: ModelError.Code, _ change: (inout Forge) throws -> Void
    ) throws {
      rejected.append(try forged("coding-\(name)", code, of: coded, change))
    }
    let forge = try Forge(coded)
    guard let weights = forge.parts.firstIndex(where: { $0.coding == "rans" }),
      let planes = forge.parts.firstIndex(where: { $0.coding == "planes" })
    else { throw PlainReader.Failure("no coded sections") }
    let stored = forge.parts[weights].frame
    func replaced(_ index: Int, _ byte: UInt8) -> [UInt8] {
      var bytes = stored
      bytes[index] = byte
      return bytes
    }
    // The first section of weights is one tensor of 24 channels: axis, numbers, states, words.
    let states = 1 + 24
    let streams: [(String, [UInt8])] = [
      ("empty", []), ("axis", replaced(0, 4)), ("number", replaced(5, 254)),
      ("no-numbers", Array(stored[..<20])), ("no-states", Array(stored[..<(states + 31)])),
      ("no-words", Array(stored[..<(states + 32)])), ("short", stored.dropLast(2)),
      ("odd", stored.dropLast()), ("rest", stored + [0, 0]),
      ("low-state", replaced(states + 2, 0).enumerated().map { $0 == states + 3 ? 0 : $1 }),
      ("other-axis", replaced(0, 2)), ("one-channel", replaced(0, 255)),
    ]
    for (name, bytes) in streams {
      try add("rans-\(name)", .malformedInput) { $0.parts[weights].frame = bytes }
    }
    try add("rans-of-floats", .malformedInput) { $0.parts[planes].coding = "rans" }
    try add("planes-of-bytes", .malformedInput) { $0.parts[weights].coding = "planes" }
    try add("planes-frame", .malformedInput) { $0.parts[planes].frame = [1, 2, 3, 4, 5, 6, 7] }
    try add("zstd-of-weights", .malformedInput) { $0.parts[weights].coding = "zstd" }
    try add("planes-as-they-are", .integrityFailure) { $0.parts[planes].coding = "zstd" }
    try add("of-record", .malformedInput) { $0.parts[0].coding = "planes" }
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
