import Foundation
import Testing

/// What the program prints and how it exits, against `golden/cli/*.txt`.
///
/// A golden is the command line after `$ `, the exit status in brackets, then standard output, then, after a
/// line `--- stderr`, standard error. `scripts/record-cli` writes them anew.
@Suite struct SnapshotTests {
  static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../..").standardized
  static let goldens: [String] =
    ((try? FileManager.default.contentsOfDirectory(
      atPath: root.appending(path: "golden/cli").path())) ?? [])
    .filter { $0.hasSuffix(".txt") }.sorted()

  @Test(arguments: goldens)
  func theProgramSaysWhatItSaid(name: String) throws {
    let text = try String(
      contentsOf: Self.root.appending(path: "golden/cli/\(name)"), encoding: .utf8)
    let command = try #require(text.split(separator: "\n").first)
    let words = command.split(separator: " ").map(String.init)
    try #require(words.prefix(2) == ["$", "maquette"])
    let result = try Program.run(Array(words.dropFirst(2)))
    var printed = "\(command)\n[\(result.status)]\n\(result.output)"
    if !result.errors.isEmpty { printed += "--- stderr\n\(result.errors)" }
    #expect(printed == text)
  }

  @Test func everySubcommandHasItsHelpOnRecord() {
    for name in [
      "bench", "compare", "convert", "export", "inspect", "memory", "quantize", "run", "verify",
    ] {
      #expect(Self.goldens.contains("help-\(name).txt"))
    }
  }
}

/// The built program, beside the test bundle.
enum Program {
  struct Result {
    let status: Int32
    let output: String
    let errors: String
  }

  static var path: URL {
    Bundle.main.bundleURL.appending(path: "maquette")
  }

  /// - Parameter fileByteLimit: the system ends the program where it makes a file longer than this.
  static func run(_ arguments: [String], fileByteLimit: Int? = nil) throws -> Result {
    let process = Process()
    process.executableURL = path
    process.arguments = arguments
    if let fileByteLimit {
      let limits = "ulimit -c 0; ulimit -f \(fileByteLimit / 512); exec \"$0\" \"$@\""
      process.executableURL = URL(filePath: "/bin/sh")
      process.arguments = ["-c", limits, path.path()] + arguments
    }
    process.currentDirectoryURL = SnapshotTests.root
    let (output, errors) = (Pipe(), Pipe())
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    // Help and errors fit a pipe's buffer, so reading one after the other cannot block.
    let printed = output.fileHandleForReading.readDataToEndOfFile()
    let complained = errors.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return Result(
      status: process.terminationStatus, output: String(decoding: printed, as: UTF8.self),
      errors: String(decoding: complained, as: UTF8.self))
  }
}
