import Foundation
import ModelIR
import OnnxFormat
import TensorCore
import Testing

/// Models whose tensors lie in other files, and what such a file may be.
@Suite struct ExternalDataTests {
  @Test func weightsBeyondTwoGigabytesAreRead() throws {
    let folder = try Folder()
    let offset: UInt64 = 2_500_000_000
    let path = folder.models.appending(path: "w.bin")
    let file = try FileHandle(forWritingTo: path)
    // Only the end is written: the file has a hole and takes next to no space.
    try file.seek(toOffset: offset)
    try file.write(contentsOf: Data(([5, 7] as [Float]).rawBytes))
    try file.close()
    let graph = try folder.read([
      ("location", "w.bin"), ("offset", "\(offset)"), ("length", "8"),
    ])
    let constants = graph.values.compactMap { $0.fact.constant }
    #expect(constants.contains { $0.floats() == [5, 7] })
  }

  /// A folder with a model's folder in it, and a secret beside that.
  final class Folder {
    let root: URL
    var models: URL { root.appending(path: "models") }

    init() throws {
      root = FileManager.default.temporaryDirectory
        .appending(path: "external-data-\(UUID().uuidString)")
      try FileManager.default.createDirectory(
        at: models.appending(path: "parts"), withIntermediateDirectories: true)
      let weights = Data([Float](repeating: 0, count: 4).rawBytes + ([1, -3] as [Float]).rawBytes)
      try weights.write(to: models.appending(path: "w.bin"))
      try weights.write(to: models.appending(path: "parts/w.bin"))
      try weights.write(to: root.appending(path: "secret.bin"))
    }

    deinit { try? FileManager.default.removeItem(at: root) }

    func read(_ entries: [(String, String)], dims: [Int] = [2]) throws -> Graph {
      var model = OnnxReaderTests.small
      model.initializers = [ModelBuilder.tensor("w", dims: dims, external: entries)]
      let path = models.appending(path: "model.onnx")
      try Data(model.bytes).write(to: path)
      return try OnnxReader().graph(path: path.path())
    }

    func code(_ entries: [(String, String)], dims: [Int] = [2]) -> ModelError.Code? {
      let error = #expect(throws: ModelError.self) { try read(entries, dims: dims) }
      if let error { #expect(!error.description.contains(root.path()), "a path leaked") }
      return error?.code
    }
  }

  @Test(arguments: ["w.bin", "parts/w.bin"])
  func tensorsAreReadFromTheModelsFolder(location: String) throws {
    let folder = try Folder()
    let graph = try folder.read([("location", location), ("offset", "16"), ("length", "8")])
    let constant = try #require(graph.values.first { $0.name == "w" }?.fact.constant)
    #expect(constant.floats() == [1, -3])
  }

  @Test(arguments: [
    "../secret.bin", "parts/../../secret.bin", "parts/../w.bin", "./w.bin", "/etc/hostname", "",
    "parts//w.bin", "w.bin/", "..\\secret.bin",
  ])
  func locationsOutsideTheFolderAreForbidden(location: String) throws {
    let folder = try Folder()
    #expect(folder.code([("location", location)]) == .forbiddenPath)
  }

  @Test func linksAreForbidden() throws {
    let folder = try Folder()
    let files = FileManager.default
    let secret = folder.root.appending(path: "secret.bin")
    try files.createSymbolicLink(
      at: folder.models.appending(path: "link.bin"), withDestinationURL: secret)
    try files.createSymbolicLink(
      at: folder.models.appending(path: "out"), withDestinationURL: folder.root)
    try files.linkItem(at: secret, to: folder.models.appending(path: "hard.bin"))
    #expect(folder.code([("location", "link.bin")]) == .forbiddenPath)
    #expect(folder.code([("location", "out/secret.bin")]) == .forbiddenPath)
    #expect(folder.code([("location", "hard.bin")]) == .forbiddenPath)
  }

  @Test func whatIsNoFileIsMissing() throws {
    let folder = try Folder()
    #expect(folder.code([("location", "nothing.bin")]) == .missingInput)
    #expect(folder.code([("location", "parts")]) == .missingInput)
    #expect(mkfifo(folder.models.appending(path: "pipe").path(), 0o600) == 0)
    #expect(folder.code([("location", "pipe")]) == .missingInput)
  }

  @Test(arguments: [
    [("offset", "-1")], [("offset", "17")], [("offset", "9223372036854775807")],
    [("offset", "1e2")], [("offset", "+4")], [("length", "-8")], [("length", "4")],
    [("length", "16")], [("offset", "0"), ("offset", "8")], [("basepath", "/etc")],
    [("offset", "99999999999999999999")],
  ])
  func regionsThatDoNotFitAreMalformed(entries: [(String, String)]) throws {
    let folder = try Folder()
    #expect(folder.code([("location", "w.bin")] + entries) == .malformedInput)
  }

  @Test func aTensorBeyondTheFileTakesNoMemory() throws {
    let folder = try Folder()
    #expect(folder.code([("location", "w.bin")], dims: [1 << 33]) == .malformedInput)
  }

  @Test func aLocationIsNeeded() throws {
    #expect(try Folder().code([("offset", "0")]) == .malformedInput)
  }
}
