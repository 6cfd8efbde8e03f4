import ModelIR
import OnnxFormat
import TensorCore
import Testing

/// Files that are made to exhaust the reader rather than to be read.
@Suite struct HostileModelTests {
  /// `count` messages, each the only field of the one around it.
  static func nested(_ field: Int, count: Int) -> [UInt8] {
    // Lengths are written from the inside out, so the message is built backwards.
    var reversed: [UInt8] = []
    for _ in 0..<count {
      var head = ProtobufWriter()
      head.tag(field, wireType: 2)
      head.varint(UInt64(reversed.count))
      reversed += head.bytes.reversed()
    }
    return reversed.reversed()
  }

  /// Chains of fields that lead back to themselves in the standard's schema.
  @Test(arguments: [
    ("graphs of attributes", [1, 5, 6]), ("sequences", [4, 1]), ("optionals", [9, 1]),
    ("maps", [5, 2]), ("functions", [25, 7, 5, 6, 1, 5]),
  ])
  func nestedMessagesDoNotExhaustTheStack(what: String, cycle: [Int]) {
    var inner = HostileModelTests.nested(cycle[0], count: 200_000)
    for field in cycle {
      inner = ModelBuilder.message { $0.counted(field, inner) }
    }
    var model = OnnxReaderTests.small
    model.nodes.append(
      ModelBuilder.message { node in
        node.string(4, "Loop")
        node.message(5) { attribute in
          attribute.string(1, "body")
          attribute.counted(6, inner)
          attribute.counted(14, inner)
          attribute.integer(20, 5)
        }
      })
    model.inputs.append(
      ModelBuilder.message { port in
        port.string(1, "deep")
        port.message(2) { $0.counted(cycle[0], inner) }
      })
    #expect(throws: ModelError.self) { try OnnxReader().graph(bytes: model.bytes) }
    let bare = ModelBuilder.message { $0.counted(7, inner) }
    #expect(throws: ModelError.self) { try OnnxReader().graph(bytes: bare) }
  }

  @Test func groupsAreNotRead() {
    let groups = [UInt8](repeating: 0x0B, count: 794_000)
    let error = #expect(throws: ModelError.self) { try OnnxReader().graph(bytes: groups) }
    #expect(error?.code == .malformedInput)
  }

  @Test func emptyNodesDoNotMultiplyMemory() {
    // Two bytes each in the file, hundreds unpacked.
    let nodes = [[UInt8]](repeating: [0x0A, 0x00], count: 3_000_000).flatMap(\.self)
    let bytes = ModelBuilder.message { $0.counted(7, nodes) }
    let error = #expect(throws: ModelError.self) { try OnnxReader().graph(bytes: bytes) }
    #expect(error?.code == .limitExceeded)
  }

  @Test func functionsThatCallEachOtherMeetTheLimit() {
    var model = OnnxReaderTests.small
    model.opsets.append(("local", 1))
    model.functions = [
      ModelBuilder.function("Again", domain: "local", ["a"], ["b"]) {
        [ModelBuilder.node("Again", ["a"], ["b"], name: "again", domain: "local")]
      }
    ]
    model.nodes[1] = ModelBuilder.node("Again", ["sum"], ["y"], domain: "local")
    let error = #expect(throws: ModelError.self) { try OnnxReader().graph(bytes: model.bytes) }
    #expect(error?.code == .limitExceeded)
  }

  @Test func functionsThatMultiplyMeetTheLimit() {
    // Each calls the next one twenty times: 20³⁰ nodes.
    var model = OnnxReaderTests.small
    model.opsets.append(("local", 1))
    model.functions = (0..<30).map { level in
      ModelBuilder.function("F\(level)", domain: "local", ["a"], ["b"]) {
        let kind = level == 29 ? "Relu" : "F\(level + 1)"
        return (0..<20).map {
          ModelBuilder.node(
            kind, [$0 == 0 ? "a" : "t\($0 - 1)"], [$0 == 19 ? "b" : "t\($0)"],
            domain: level == 29 ? "" : "local")
        }
      }
    }
    model.nodes[1] = ModelBuilder.node("F0", ["sum"], ["y"], domain: "local")
    var limits = ImportLimits()
    limits.nodes = 2000
    let error = #expect(throws: ModelError.self) {
      try OnnxReader(limits: limits).graph(bytes: model.bytes)
    }
    #expect(error?.code == .limitExceeded)
  }

  @Test func everyCapIsHeld() {
    let bytes = OnnxReaderTests.small.bytes
    func code(_ change: (inout ImportLimits) -> Void) -> ModelError.Code? {
      var limits = ImportLimits()
      change(&limits)
      let error = #expect(throws: ModelError.self) {
        try OnnxReader(limits: limits).graph(bytes: bytes)
      }
      return error?.code
    }
    #expect(code { $0.fileBytes = 10 } == .limitExceeded)
    #expect(code { ($0.memoryFactor, $0.memoryFloor) = (1, 0) } == .limitExceeded)
    #expect(code { $0.nodes = 1 } == .limitExceeded)
    #expect(code { $0.initializers = 0 } == .limitExceeded)
    #expect(code { $0.ports = 0 } == .limitExceeded)
    #expect(code { $0.nodeParts = 1 } == .limitExceeded)
    #expect(code { $0.stringBytes = 3 } == .limitExceeded)
    #expect(code { $0.tensorBytes = 7 } == .limitExceeded)
  }

  @Test func everyPrefixOfAModelIsRefusedOrRead() {
    let bytes = OnnxReaderTests.small.bytes
    for length in 0..<bytes.count {
      _ = try? OnnxReader().graph(bytes: Array(bytes[..<length]))
    }
  }

  /// Every byte replaced by a few others: errors, but no crash.
  @Test func damagedModelsAreRefusedOrRead() throws {
    let bytes = OnnxReaderTests.small.bytes
    for index in bytes.indices {
      for value in [0, 1, 0x0A, 0x7F, 0x80, 0xFF] as [UInt8] {
        var damaged = bytes
        damaged[index] = value
        _ = try? OnnxReader().graph(bytes: damaged)
      }
    }
  }
}
