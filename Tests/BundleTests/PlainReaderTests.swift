import Foundation
import ModelBundle
import ModelIR
import TensorCore
import Testing

/// Two readers that share no code agree on what a bundle says.
@Suite struct PlainReaderTests {
  func expectAgreement(_ bytes: [UInt8]) throws {
    let plain = try PlainReader(Data(bytes))
    let reader = try BundleReader(bytes: bytes)
    let contents = try reader.contents(operators: Sample.operators)
    #expect(plain.sections.map(\.name) == reader.header.sections.map(\.name))
    #expect(plain.join?.family == contents.join?.family)
    #expect(plain.join?.parts == contents.join?.parts.map { "\($0.graph) \($0.role)" })
    #expect(plain.join?.joins == contents.join?.links.map { "\($0.from) \($0.rule) \($0.to)" })
    #expect(plain.publicKey.map { [UInt8]($0) } == reader.signer?.bytes)
    for named in contents.graphs {
      let constants = try plain.constants(of: named.name)
      let values = named.graph.values.filter { $0.fact.constant != nil }
      #expect(constants.map(\.name) == values.map(\.name))
      for (constant, value) in zip(constants, values) {
        let tensor = try #require(value.fact.constant)
        #expect(constant.tensor == PlainReader.StoredTensor(tensor))
        #expect(constant.type == GraphText.describe(tensor.type))
      }
    }
    for golden in contents.goldens {
      for (key, ports) in [("inputs", golden.inputs), ("outputs", golden.outputs)] {
        let stored = try plain.golden(golden.name, key)
        #expect(stored.map(\.name) == ports.map(\.name))
        #expect(stored.map(\.tensor) == ports.map { PlainReader.StoredTensor($0.tensor) })
      }
    }
  }

  @Test func bothReadWhatTheWriterWrites() throws {
    try expectAgreement(try Sample.writer().bytes(of: try Sample.joined()))
    try expectAgreement(try Sample.writer().bytes(of: try Sample.coded()))
    try expectAgreement(try Sample.writer(codedBytes: 0).bytes(of: try Sample.grouped()))
    try expectAgreement(try Sample.writer(newestVersion: 5).bytes(of: try Sample.scaled()))
    try expectAgreement(try Sample.writer(newestVersion: 5).bytes(of: try Sample.shaped()))
    try expectAgreement(try Sample.writer(newestVersion: 6).bytes(of: try Sample.coded()))
    try expectAgreement(try Sample.writer().bytes(of: try Sample.banked()))
    try expectAgreement(try Sample.writer().bytes(of: try Sample.contents()))
    try expectAgreement(
      try Sample.writer(signingKey: try Sample.key()).bytes(of: try Sample.contents()))
  }

  /// A bundle that was written once, and what it holds.
  struct Committed: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let writer: @Sendable () throws -> BundleWriter
    let contents: @Sendable () throws -> BundleContents

    init(
      _ path: String, _ contents: @escaping @Sendable () throws -> BundleContents,
      by writer: @autoclosure @escaping @Sendable () throws -> BundleWriter = Sample.writer()
    ) {
      testDescription = path
      self.writer = writer
      self.contents = contents
    }

    var url: URL { Sample.root.appending(path: "golden/bundles/\(testDescription)") }

    static let all = [
      Committed("v1/sample.maq", Sample.contents),
      Committed(
        "v1/sample-signed.maq", Sample.contents, by: try Sample.writer(signingKey: Sample.key())),
      Committed("v2/joined.maq", Sample.joined), Committed("v3/coded.maq", Sample.coded),
      Committed("v4/grouped.maq", Sample.grouped, by: Sample.writer(codedBytes: 0)),
      Committed("v5/scaled.maq", Sample.scaled, by: Sample.writer(newestVersion: 5)),
      Committed("v6/lanes.maq", Sample.coded, by: Sample.writer(newestVersion: 6)),
    ]
  }

  /// Writes those that are not there yet; see `golden/bundles/README.md`.
  @Test(
    .enabled(if: ProcessInfo.processInfo.environment["WRITE_GOLDENS"] != nil),
    arguments: Committed.all)
  func writeGoldenBundles(committed: Committed) throws {
    guard !FileManager.default.fileExists(atPath: committed.url.path()) else { return }
    try committed.writer().write(try committed.contents(), to: committed.url.path())
  }

  /// Bundles that were written once must be readable for good.
  @Test(arguments: Committed.all)
  func bothReadTheCommittedBundles(committed: Committed) throws {
    let bytes = [UInt8](try Data(contentsOf: committed.url))
    try expectAgreement(bytes)
    expectSame(
      try committed.contents(), try BundleReader(bytes: bytes).contents(operators: Sample.operators)
    )
  }
}

extension PlainReader.StoredTensor {
  init(_ tensor: Tensor) {
    self.init(
      element: tensor.element.rawValue, shape: tensor.shape.dimensions, bytes: Data(tensor.bytes))
  }
}
