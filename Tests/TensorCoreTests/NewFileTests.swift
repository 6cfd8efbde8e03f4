import Foundation
import TensorCore
import Testing

@Suite final class NewFileTests {
  private let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)

  init() throws {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  private func path(_ name: String) -> String { folder.appending(path: name).path() }
  private var names: [String] {
    get throws { try FileManager.default.contentsOfDirectory(atPath: folder.path()).sorted() }
  }

  private func expectRefused(_ path: String, _ location: SourceLocation = #_sourceLocation) {
    let error = #expect(throws: ModelError.self, sourceLocation: location) {
      try NewFile.write([1], to: path)
    }
    #expect(error?.code == .cannotCreate, sourceLocation: location)
  }

  @Test func bytesTakeThePlaceOfAFile() throws {
    for bytes in [[1, 2, 3], [], [4]] as [[UInt8]] {
      try NewFile.write(bytes, to: path("a"))
      #expect(try [UInt8](Data(contentsOf: URL(filePath: path("a")))) == bytes)
    }
    #expect(try names == ["a"])
  }

  @Test func whatIsNotFinishedLeavesTheOldFile() throws {
    try NewFile.write([1], to: path("a"))
    do {
      let file = try NewFile(path("a"))
      #expect(try names.count == 2 && FileManager.default.fileExists(atPath: file.sibling))
    }
    #expect(try names == ["a"])
    #expect(try [UInt8](Data(contentsOf: URL(filePath: path("a")))) == [1])
  }

  @Test func devicesPipesAndFoldersStay() throws {
    #expect(mkfifo(path("pipe"), 0o600) == 0)
    try FileManager.default.createDirectory(
      atPath: path("folder"), withIntermediateDirectories: false)
    for (link, target) in [("to-pipe", "pipe"), ("to-folder", "folder"), ("to-nothing", "none")] {
      try FileManager.default.createSymbolicLink(
        atPath: path(link), withDestinationPath: path(target))
    }
    let before = try names
    for name in before { expectRefused(path(name)) }
    expectRefused("")
    expectRefused("/dev/null")
    expectRefused(path("none/a"))
    #expect(try names == before)
    var status = stat()
    #expect(stat(path("to-pipe"), &status) == 0 && status.st_mode & S_IFMT == S_IFIFO)
  }

  @Test func aLinkIsFollowed() throws {
    try NewFile.write([1], to: path("a"))
    try FileManager.default.createSymbolicLink(atPath: path("link"), withDestinationPath: path("a"))
    try NewFile.write([2], to: path("link"))
    #expect(try [UInt8](Data(contentsOf: URL(filePath: path("a")))) == [2])
    #expect(
      try FileManager.default.destinationOfSymbolicLink(atPath: path("link")) == path("a"))
  }
}
