import Foundation
import ModelBundle
import ModelIR
import TensorCore
import Testing

func expectSame(_ a: BundleContents, _ b: BundleContents) {
  #expect(a.graphs.map(\.name) == b.graphs.map(\.name))
  for (x, y) in zip(a.graphs, b.graphs) {
    #expect(GraphText.print(x.graph) == GraphText.print(y.graph))
    #expect(x.graph.values.map(\.fact.constant) == y.graph.values.map(\.fact.constant))
  }
  #expect(a.manifest == b.manifest)
  #expect(a.records == b.records)
  #expect(a.goldens == b.goldens)
  #expect(a.join == b.join)
}

@Suite struct BundleTests {
  @Test func contentsReadBack() throws {
    let contents = try Sample.contents()
    let bytes = try Sample.writer().bytes(of: contents)
    let reader = try BundleReader(bytes: bytes)
    #expect(reader.signer == nil)
    #expect(reader.graphNames == ["main", "bank"])
    #expect(reader.recordNames == ["calibration", "family", "manifest"])
    expectSame(contents, try reader.contents(operators: Sample.operators))
  }

  @Test func joinedPartsReadBack() throws {
    let contents = try Sample.joined()
    let bytes = try Sample.writer().bytes(of: contents)
    let reader = try BundleReader(bytes: bytes)
    #expect(reader.version == 2)
    expectSame(contents, try reader.contents(operators: Sample.operators))
    #expect(try contents.join?.order() == ["front", "bank"])
    #expect(
      try BundleReader(bytes: try Sample.writer().bytes(of: try Sample.contents())).version == 1)
  }

  @Test func aJoinOfVersionOneIsARecordLikeAnyOther() throws {
    var contents = try Sample.contents()
    contents.records["join"] = ["anything": true]
    let bytes = try Sample.writer().bytes(of: contents)
    expectSame(contents, try BundleReader(bytes: bytes).contents(operators: Sample.operators))
    contents.join = try Sample.joined().join
    let changed = contents
    #expect(throws: ModelError.self) { try Sample.writer().bytes(of: changed) }
  }

  @Test func sameContentsGiveTheSameBytes() throws {
    let first = try Sample.writer().bytes(of: try Sample.contents())
    let second = try Sample.writer().bytes(of: try Sample.contents())
    #expect(first == second)
    let again = try BundleReader(bytes: first).contents(operators: Sample.operators)
    #expect(try Sample.writer().bytes(of: again) == first)
  }

  @Test func equalTensorsAreStoredOnce() throws {
    let reader = try BundleReader(bytes: try Sample.writer().bytes(of: try Sample.contents()))
    // Six constants, two of them equal, and two golden tensors.
    #expect(reader.header.tensors.count == 7)
    #expect(
      reader.header.sections.map(\.name).suffix(4) == [
        "constants", "constants", "constants", "goldens",
      ])
  }

  /// Few scales and biases take less than the entry of a section; of many, each kind is shorter by itself.
  @Test(arguments: [(8, 1), (8000, 2)])
  func tensorsOfOneWidthShareASectionWhereThatIsShorter(count: Int, sections: Int) throws {
    var graph = Graph()
    let scales = Tensor(vector: (0..<count).map { 0.01 + Float($0 * 37 % 101) / 1000 })
    let biases = Tensor(vector: (0..<count).map { Int32($0 * 73 % 4001) - 2000 })
    for (name, tensor) in [("scales", scales), ("biases", biases)] {
      try graph.addOutput(name, graph.addConstant(tensor, named: name))
    }
    var contents = try Sample.contents()
    (contents.graphs, contents.goldens) = ([.init("main", graph)], [])
    var writer = BundleWriter()
    writer.codedBytes = 0
    let reader = try BundleReader(bytes: try writer.bytes(of: contents))
    #expect(reader.header.sections.count { $0.kind == .tensors } == sections)
    expectSame(contents, try reader.contents(operators: Sample.operators))
  }

  /// `B73`
  @Test func shapesAreInTheText() throws {
    let bytes = try Sample.writer(newestVersion: 5).bytes(of: try Sample.shaped())
    let reader = try BundleReader(bytes: bytes)
    #expect(reader.header.tensors.filter { $0.element == .int64 }.map(\.shape.count) == [9])
    #expect(try reader.graphText().contains("int64[5] = fill 1\n"))
    expectSame(try Sample.shaped(), try reader.contents(operators: Sample.operators))
    let old = try BundleReader(bytes: try Sample.writer().bytes(of: try Sample.shaped()))
    #expect(old.header.tensors.count { $0.element == .int64 } == 5)
  }

  /// A table of sines would otherwise spoil the coding of weights beside it, or its own (`B19`).
  @Test func tablesOfRowsThatComeAgainAreApartFromWeights() throws {
    var contents = try Sample.coded()
    let before = try Sample.writer().bytes(of: contents).count
    var graph = contents.graphs[0].graph
    let shape = try Shape([64, 48])
    let table = Tensor(
      shape,
      (0..<shape.count).map { Int8(127 * sin(Double($0 / 48) * pow(0.7, Double($0 % 48)))) },
      quantization: QuantizationParameters(perChannel: [Float](repeating: 0.5, count: 64), axis: 0))
    try graph.addOutput("table", graph.addConstant(table, named: "table"))
    contents.graphs = [.init("main", graph)]
    let bytes = try Sample.writer().bytes(of: contents)
    let reader = try BundleReader(bytes: bytes)
    let section = try #require(
      reader.header.sections.first { $0.kind == .tensors && $0.byteCount == shape.count })
    #expect(section.coding == .zstd)
    #expect(bytes.count < before + section.storedByteCount + 128)
    expectSame(contents, try reader.contents(operators: Sample.operators))
  }

  @Test func goldensCanBeLeftOut() throws {
    let reader = try BundleReader(bytes: try Sample.writer().bytes(of: try Sample.contents()))
    let contents = try reader.contents(operators: Sample.operators, goldens: false)
    #expect(contents.goldens.isEmpty)
    #expect(contents.graphs.count == 2)
  }

  @Test func signaturesAreChecked() throws {
    let key = try Sample.key()
    let bytes = try Sample.writer(signingKey: key).bytes(of: try Sample.contents())
    let reader = try BundleReader(bytes: bytes)
    #expect(reader.signer == key.verifyingKey)
    try reader.require(signedBy: [SigningKey().verifyingKey, key.verifyingKey])
    expectFailure(.integrityFailure) {
      try reader.require(signedBy: [SigningKey().verifyingKey])
    }
    let unsigned = try BundleReader(bytes: try Sample.writer().bytes(of: try Sample.contents()))
    expectFailure(.integrityFailure) { try unsigned.require(signedBy: [key.verifyingKey]) }
    // The same content signed: only flag, length and the last 96 bytes differ.
    let plain = try Sample.writer().bytes(of: try Sample.contents())
    #expect(plain[32...] == bytes[32..<plain.count])
  }

  @Test func keysComeAsPEMOrHexadecimal() throws {
    // RFC 8032, test 1, as `openssl pkey` writes it.
    let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
    let key = try SigningKey(
      text: """
        -----BEGIN PRIVATE KEY-----
        MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
        -----END PRIVATE KEY-----

        """)
    #expect(key.text == seed + "\n")
    let expected = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    #expect(key.verifyingKey.description == expected)
    #expect(try SigningKey(text: seed).verifyingKey == key.verifyingKey)
    let pem = """
      -----BEGIN PUBLIC KEY-----
      MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
      -----END PUBLIC KEY-----
      """
    #expect(try VerifyingKey(text: pem) == key.verifyingKey)
    for text in [
      "", "abc", pem, seed + "00", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
    ] {
      expectFailure(.malformedInput) { _ = try SigningKey(text: text) }
    }
  }

  @Test func writingReplacesAllOrNothing() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = folder.appending(path: "model.maq").path()
    try NewFile.write([1, 2, 3], to: path)
    try Sample.writer().write(try Sample.contents(), to: path)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path()) == ["model.maq"])
    expectSame(
      try Sample.contents(), try BundleReader(path: path).contents(operators: Sample.operators))
    expectFailure(.cannotCreate) {
      try NewFile.write([1], to: folder.appending(path: "none/model.maq").path())
    }
    expectFailure(.cannotCreate) { try NewFile.write([1], to: folder.path()) }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path()) == ["model.maq"])
    expectFailure(.missingInput) { _ = try BundleReader(path: path + "none") }
    expectFailure(.inputOutput) { _ = try BundleReader(path: folder.path()) }
    expectFailure(.limitExceeded) { _ = try FileAccess.read(path, limit: 10) }
  }

  @Test func writersRefuseWhatReadersWould() throws {
    var contents = try Sample.contents()
    contents.records["manifest"] = 1
    expectFailure(.invalidValue) { _ = try Sample.writer().bytes(of: contents) }
    contents = try Sample.contents()
    contents.graphs.append(contents.graphs[0])
    expectFailure(.malformedInput) { _ = try Sample.writer().bytes(of: contents) }
    contents = try Sample.contents()
    contents.goldens = [StoredGolden(name: "a", graph: "none", inputs: [], outputs: [])]
    expectFailure(.invalidValue) { _ = try Sample.writer().bytes(of: contents) }
    contents.goldens = [
      StoredGolden(name: "a", inputs: [.init("x", Tensor(scalar: Float(1)))], outputs: [])
    ]
    expectFailure(.malformedInput) { _ = try Sample.writer().bytes(of: contents) }
    contents = try Sample.contents()
    var writer = Sample.writer()
    writer.limits.headerBytes = 100
    expectFailure(.limitExceeded) { _ = try writer.bytes(of: contents) }
    writer = Sample.writer()
    writer.limits.expansionFloor = 0
    writer.limits.expansion = 1
    contents.records["zeros"] = .array(.init(repeating: 0, count: 100_000))
    expectFailure(.limitExceeded) { _ = try writer.bytes(of: contents) }
  }

  @Test func aBundleOfOperatorsThatAreNotThereSaysSo() throws {
    let reader = try BundleReader(bytes: try Sample.writer().bytes(of: try Sample.contents()))
    expectFailure(.unsupportedOperator, "'Add'") { _ = try reader.contents(operators: []) }
  }
}

/// Expects a `ModelError` of `code` whose description contains `text`.
func expectFailure(
  _ code: ModelError.Code, _ text: String = "", _ location: SourceLocation = #_sourceLocation,
  _ body: () throws -> Void
) {
  do {
    try body()
    Issue.record("no error", sourceLocation: location)
  } catch let error as ModelError {
    #expect(
      error.code == code && (text.isEmpty || error.description.contains(text)), "\(error)",
      sourceLocation: location)
  } catch {
    Issue.record("\(error)", sourceLocation: location)
  }
}
