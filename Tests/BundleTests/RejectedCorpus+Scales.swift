import Foundation
import ModelBundle
import TensorCore

extension RejectedCorpus {
  /// Bundles of version 5 whose header's frame or whose scales lie (`B70`…`B72`, `T18`).
  func scales() throws -> [Rejected] {
    var rejected: [Rejected] = []
    func add(
      _ name: String, _ code: ModelError.Code, _ change: (inout Forge) throws -> Void
    ) throws {
      rejected.append(try forged("scales-\(name)", code, of: scaled, change))
    }
    let forge = try Forge(scaled)
    let text = forge.text("graph", "main")
    guard let tensors = forge.parts.firstIndex(where: { $0.kind == "tensors" }),
      let record = forge.parts.firstIndex(where: { $0.kind == "record" }),
      let place = text.range(of: "@axis0 #0+0"), text.contains("*0.375")
    else { throw PlainReader.Failure("no scales") }
    try add("frame-long", .malformedInput) { $0.rest = [0] }
    try add("frame-short", .malformedInput) { $0.parts[record].lies["size"] = .integer(1 << 16) }
    try add("header-length", .malformedInput) { $0.headerLength = 1 << 30 }
    try add("header-length-0", .malformedInput) { $0.headerLength = 0 }
    try add("header-of-tensors", .malformedInput) { $0.parts[tensors].coding = "header" }
    try add("header-digest", .malformedInput) {
      $0.parts[record].lies["sha256"] = .string(String(repeating: "0", count: 64))
    }
    try add("header-of-version-4", .unsupportedFeature) { $0.version = 4 }
    for (name, code, new) in [
      ("beyond", ModelError.Code.malformedInput, "#0+60"),
      ("far", .malformedInput, "#0+\(Int.max)"),
      ("before", .malformedInput, "#0+-1"), ("no-tensor", .malformedInput, "#99+0"),
      ("of-integers", .malformedInput, "#1+0"), ("no-start", .malformedInput, "#0"),
      ("factor-0", .invalidValue, "#0+0*0.0"), ("factor-inf", .invalidValue, "#0+0*inf"),
    ] {
      let changed = text.replacingCharacters(in: place, with: "@axis0 " + new)
      try add(name, code) { $0.replace("graph", "main", changed) }
    }
    try add("of-version-2", .malformedInput) {
      $0.replace("graph", "main", text.replacing("graph 3", with: "graph 2"))
    }
    return rejected
  }
}
