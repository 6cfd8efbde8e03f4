import TensorCore

@testable import ModelBundle

extension RejectedCorpus {
  /// Bundles of version 4 whose groups of weights lie (`B53`).
  func groups() throws -> [Rejected] {
    var rejected: [Rejected] = []
    func add(
      _ name: String, _ code: ModelError.Code, _ change: (inout Forge) throws -> Void
    ) throws {
      rejected.append(try forged("groups-\(name)", code, of: grouped, change))
    }
    let forge = try Forge(grouped)
    guard let weights = forge.parts.firstIndex(where: { $0.coding == "groups" }),
      let record = forge.parts.firstIndex(where: { $0.kind == "record" })
    else { throw PlainReader.Failure("no groups of weights") }
    let stored = forge.parts[weights].frame
    func replaced(_ index: Int, _ byte: UInt8) -> [UInt8] {
      var bytes = stored
      bytes[index] = byte
      return bytes
    }
    /// Groups of 32 whose quotients are all one number, and multipliers another.
    func products(_ quotient: Int8, _ multiplier: Int8) throws -> [UInt8] {
      var coded: [Tensor] = []
      for (dimensions, groups) in [
        ([8, 30, 3, 3], [8, 9]), ([20, 6, 4], [6, 3]), ([5, 7], [5, 1]),
      ] {
        for (extents, number) in [(dimensions, quotient), (groups, multiplier)] {
          let shape = try Shape(extents)
          coded.append(Tensor(shape, [Int8](repeating: number, count: shape.count)))
        }
      }
      return [32, 0, 0, 1, 0] + (try WeightCoder.encode(coded, .throughout))
    }
    // Size, axes of three tensors, then a stream: axis and numbers of the quotients' channels, and so on.
    // What the products that are no lies would be is another content.
    try add("other-products", .integrityFailure) { $0.parts[weights].frame = try products(3, 4) }
    let streams: [(String, [UInt8])] = [
      ("empty", []), ("no-size", [16]), ("no-axes", [16, 0, 0]),
      ("of-none", replaced(0, 0)), ("other-size", replaced(0, 16)), ("large", replaced(1, 1)),
      ("axis", replaced(2, 4)), ("one-channel", replaced(2, 255)),
      ("product", try products(-64, 3)), ("multiplier-0", try products(0, 0)),
      ("multiplier-below-0", try products(1, -1)), ("no-stream", Array(stored[..<5])),
      ("short", stored.dropLast(2)), ("rest", stored + [0, 0]),
    ]
    for (name, bytes) in streams {
      try add(name, .malformedInput) { $0.parts[weights].frame = bytes }
    }
    try add("of-record", .malformedInput) { $0.parts[record].coding = "groups" }
    try add("of-version-3", .unsupportedFeature) { $0.version = 3 }
    return rejected
  }
}
