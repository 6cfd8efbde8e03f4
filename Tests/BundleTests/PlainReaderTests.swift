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
    try expectAgreement(try Sample.writer(newestVersion: 6).bytes(of: try Sample.coded()))
    try expectAgreement(try Sample.writer().bytes(of: try Sample.banked()))
    try expectAgreement(try Sample.writer().bytes(of: try Sample.contents()))
    try expectAgreement(
      try Sample.writer(signingKey: try Sample.key()).bytes(of: try Sample.contents()))
  }

  /// Writes the committed bundles of a new version of the format; see `golden/bundles/README.md`.
  @Test(.enabled(if: ProcessInfo.processInfo.environment["WRITE_GOLDENS"] != nil))
  func writeGoldenBundles() throws {
    let folder = Sample.root.appending(path: "golden/bundles/v1").path()
    try Sample.writer().write(try Sample.contents(), to: folder + "/sample.maq")
    try Sample.writer(signingKey: try Sample.key())
      .write(try Sample.contents(), to: folder + "/sample-signed.maq")
    try Sample.writer().write(
      try Sample.joined(),
      to: Sample.root.appending(path: "golden/bundles/v2/joined.maq").path())
    try Sample.writer().write(
      try Sample.coded(), to: Sample.root.appending(path: "golden/bundles/v3/coded.maq").path())
    try Sample.writer(codedBytes: 0).write(
      try Sample.grouped(),
      to: Sample.root.appending(path: "golden/bundles/v4/grouped.maq").path())
    try Sample.writer(newestVersion: 5).write(
      try Sample.scaled(), to: Sample.root.appending(path: "golden/bundles/v5/scaled.maq").path())
    try Sample.writer(newestVersion: 6).write(
      try Sample.coded(), to: Sample.root.appending(path: "golden/bundles/v6/lanes.maq").path())
  }

  /// A bundle that was written once, and what it holds.
  struct Committed: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let contents: @Sendable () throws -> BundleContents

    init(_ path: String, _ contents: @escaping @Sendable () throws -> BundleContents) {
      testDescription = path
      self.contents = contents
    }
  }

  /// Bundles that were written once must be readable for good.
  @Test(arguments: [
    Committed("v1/sample.maq", Sample.contents), Committed("v1/sample-signed.maq", Sample.contents),
    Committed("v2/joined.maq", Sample.joined), Committed("v3/coded.maq", Sample.coded),
    Committed("v4/grouped.maq", Sample.grouped), Committed("v5/scaled.maq", Sample.scaled),
    Committed("v6/lanes.maq", Sample.coded),
  ])
  func bothReadTheCommittedBundles(committed: Committed) throws {
    let url = Sample.root.appending(path: "golden/bundles/\(committed.testDescription)")
    let bytes = [UInt8](try Data(contentsOf: url))
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
