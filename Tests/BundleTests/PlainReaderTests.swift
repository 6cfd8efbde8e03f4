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
  }

  /// Bundles that were written once must be readable for good.
  @Test(arguments: ["sample.maq", "sample-signed.maq"])
  func bothReadTheCommittedBundles(name: String) throws {
    let url = Sample.root.appending(path: "golden/bundles/v1/\(name)")
    let bytes = [UInt8](try Data(contentsOf: url))
    try expectAgreement(bytes)
    expectSame(
      try Sample.contents(), try BundleReader(bytes: bytes).contents(operators: Sample.operators))
  }
}

extension PlainReaderTests {
  @Test func bothReadTheCommittedBundleOfVersionTwo() throws {
    let url = Sample.root.appending(path: "golden/bundles/v2/joined.maq")
    let bytes = [UInt8](try Data(contentsOf: url))
    try expectAgreement(bytes)
    expectSame(
      try Sample.joined(), try BundleReader(bytes: bytes).contents(operators: Sample.operators))
  }
}

extension PlainReaderTests {
  @Test func bothReadTheCommittedBundleOfVersionThree() throws {
    let url = Sample.root.appending(path: "golden/bundles/v3/coded.maq")
    let bytes = [UInt8](try Data(contentsOf: url))
    try expectAgreement(bytes)
    expectSame(
      try Sample.coded(), try BundleReader(bytes: bytes).contents(operators: Sample.operators))
  }
}

extension PlainReaderTests {
  @Test func bothReadTheCommittedBundleOfVersionFour() throws {
    let url = Sample.root.appending(path: "golden/bundles/v4/grouped.maq")
    let bytes = [UInt8](try Data(contentsOf: url))
    try expectAgreement(bytes)
    expectSame(
      try Sample.grouped(), try BundleReader(bytes: bytes).contents(operators: Sample.operators))
  }
}

extension PlainReader.StoredTensor {
  init(_ tensor: Tensor) {
    self.init(
      element: tensor.element.rawValue, shape: tensor.shape.dimensions, bytes: Data(tensor.bytes))
  }
}
