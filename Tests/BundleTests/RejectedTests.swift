import Foundation
import ModelBundle
import TensorCore
import Testing

/// What no reader may take, and what it must say.
@Suite struct RejectedTests {
  /// Opening and reading everything.
  static func read(_ bytes: [UInt8]) throws(ModelError) -> BundleContents {
    try BundleReader(bytes: bytes).contents(operators: Sample.operators)
  }

  func expectRejected(_ rejected: Rejected) {
    do {
      _ = try RejectedTests.read(rejected.bytes)
      Issue.record("\(rejected.name) was read")
    } catch {
      #expect(rejected.codes.contains(error.code.rawValue), "\(rejected.name): \(error)")
    }
  }

  @Test func everyForgedBundleGivesItsCode() throws {
    let corpus = try RejectedCorpus().all()
    #expect(corpus.count >= 200)
    #expect(Set(corpus.map(\.name)).count == corpus.count)
    for rejected in corpus { expectRejected(rejected) }
  }

  /// What the plain reader takes of the corpus, the fast one refuses for a reason that is beyond the
  /// plain one: the canonical form, limits, and what texts and records say.
  @Test func thePlainReaderTakesNoForgedFrame() throws {
    let corpus = try RejectedCorpus()
    for rejected in try corpus.truncated() + corpus.signatures() {
      #expect(throws: (any Error).self, "\(rejected.name)") {
        try PlainReader(Data(rejected.bytes))
      }
    }
  }

  @Test(arguments: 0..<8) func changedBitsAreRefusedOrHarmless(seed: Int) throws {
    let corpus = try RejectedCorpus()
    let good = seed % 2 == 0 ? corpus.signed : corpus.scaled
    let contents = try RejectedTests.read(good)
    var numbers = RepeatableNumbers(seed: UInt64(seed))
    let codes: Set<ModelError.Code> = [
      .malformedInput, .integrityFailure, .limitExceeded, .unsupportedFeature,
    ]
    for _ in 0..<60 {
      var bytes = good
      let bit = Int.random(in: 0..<good.count * 8, using: &numbers)
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
      do {
        // zstd has bits that change nothing.
        expectSame(try RejectedTests.read(bytes), contents)
      } catch {
        #expect(codes.contains(error.code), "bit \(bit): \(error)")
      }
    }
  }

  // MARK: - Committed

  static let folder = Sample.root.appending(path: "golden/rejected/bundle")
  static let committed = [
    "cut-64", "trailing-1-owned", "version-2", "version-3", "version-4", "version-5",
    "version-6", "version-7", "scales-beyond", "scales-frame-short",
    "groups-product", "join-cycle", "join-type",
    "header-length-max", "sections-overlap",
    "digest-1-record", "json-duplicate-key", "json-deep-arrays", "frame-two-frames", "bomb",
    "tensors-shape-wraps-to-small", "coding-rans-short", "coding-rans-number", "coding-lanes-half",
    "graph-operator",
    "graph-type", "signed-stripped-owned",
  ]

  /// `name code` on each line of `codes.txt`.
  static func codes() throws -> [(name: String, code: String)] {
    try String(contentsOf: folder.appending(path: "codes.txt"), encoding: .utf8)
      .split(separator: "\n").map { $0.split(separator: " ") }
      .map { (String($0[0]), String($0[1])) }
  }

  @Test(.enabled(if: ProcessInfo.processInfo.environment["WRITE_GOLDENS"] != nil))
  func writeRejectedBundles() throws {
    let corpus = try RejectedCorpus().all().filter { RejectedTests.committed.contains($0.name) }
    for rejected in corpus {
      try NewFile.write(
        rejected.bytes, to: RejectedTests.folder.appending(path: "\(rejected.name).maq").path())
    }
    let lines = corpus.map { "\($0.name).maq \($0.codes.sorted().joined())\n" }.sorted().joined()
    try NewFile.write(
      Array(lines.utf8), to: RejectedTests.folder.appending(path: "codes.txt").path())
  }

  @Test func everyCommittedBundleGivesItsCode() throws {
    let codes = try RejectedTests.codes()
    let files = try FileManager.default.contentsOfDirectory(atPath: RejectedTests.folder.path())
    #expect(files.filter { $0.hasSuffix(".maq") }.sorted() == codes.map(\.name).sorted())
    #expect(codes.count == RejectedTests.committed.count)
    for (name, code) in codes {
      let path = RejectedTests.folder.appending(path: name).path()
      expectFailure(ModelError.Code(rawValue: code), path) {
        _ = try BundleReader(path: path).contents(operators: Sample.operators)
      }
    }
  }
}
