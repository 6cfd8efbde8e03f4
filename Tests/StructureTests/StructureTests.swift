import Foundation
import Testing

/// What holds for the sources as a whole.
@Suite struct StructureTests {
  static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../..").standardized

  private func files(_ folders: [String], _ endings: [String]) -> [String] {
    var found: [String] = []
    for folder in folders {
      let base = Self.root.appending(path: folder)
      guard let walker = FileManager.default.enumerator(atPath: base.path()) else { continue }
      for case let name as String in walker where endings.contains(where: { name.hasSuffix($0) }) {
        found.append("\(folder)/\(name)")
      }
    }
    return found.sorted()
  }

  private func text(_ path: String) throws -> String {
    try String(contentsOf: Self.root.appending(path: path), encoding: .utf8)
  }

  @Test func noFileIsLongerThanItShouldBe() throws {
    // Generated from formats/onnx.proto, never edited.
    let generated = "Sources/COnnx/"
    for path in files(["Sources", "Tests"], [".swift", ".c", ".h"])
    where !path.hasPrefix(generated) {
      let lines = try text(path).split(separator: "\n", omittingEmptySubsequences: false).count
      #expect(lines <= 501, "\(path) has \(lines - 1) lines; above 500 it asks to be split")
    }
  }

  /// Modules that a target may import, besides the standard library's: what its line in the manifest says.
  @Test func importsFollowTheManifest() throws {
    let manifest = try text("Package.swift")
    let own = try FileManager.default.contentsOfDirectory(
      atPath: Self.root.appending(path: "Sources").path())
    for target in own {
      let sources = files(["Sources/\(target)"], [".swift"])
      guard !sources.isEmpty else { continue }
      let allowed = try #require(dependencies(of: target, in: manifest), "\(target) has no line")
      for path in sources {
        for line in try text(path).split(separator: "\n") where line.hasPrefix("import ") {
          let module = String(line.dropFirst(7).split(separator: ".")[0])
          guard own.contains(module) else { continue }
          #expect(allowed.contains(module), "\(path) imports \(module)")
        }
      }
    }
  }

  /// The names in quotes between a target's name and the end of its list.
  private func dependencies(of target: String, in manifest: String) -> Set<String>? {
    guard
      let start = manifest.range(
        of: #"(module\(|name:)\s*""# + target + #"""#, options: .regularExpression)
    else { return nil }
    let rest = manifest[start.upperBound...]
    let end = rest.range(of: #"\]\),|swiftSettings|^    module"#, options: .regularExpression)
    let list = rest[..<(end?.upperBound ?? rest.endIndex)]
    let next = list.range(of: #"\n    (module|tests|\.target)"#, options: .regularExpression)
    let own = list[..<(next?.lowerBound ?? list.endIndex)]
    return Set(own.split(separator: "\"").map(String.init))
  }

  @Test func theRuntimeNeedsNoMediaAndNoProtobuf() throws {
    let manifest = try text("Package.swift")
    var pending = ["ModelRuntime", "ModelBundle"]
    var seen: Set<String> = []
    while let target = pending.popLast() {
      guard seen.insert(target).inserted else { continue }
      for name in dependencies(of: target, in: manifest) ?? [] where name.first?.isUppercase == true
      {
        pending.append(name)
      }
    }
    for forbidden in ["CProtobufC", "CSndfile", "CPng", "MediaIO", "OnnxFormat"] {
      #expect(!seen.contains(forbidden))
    }
  }

  @Test func noSourceGivesUpOrPutsOff() throws {
    let words = ["fatal" + "Error(", "try" + "!", " as" + "! ", "TO" + "DO", "FIX" + "ME"]
    for path in files(["Sources", "Tests"], [".swift"]) {
      let content = try text(path)
      for word in words { #expect(!content.contains(word), "\(path) has \(word)") }
    }
  }

  /// All but those whose sums have no fixed order.
  @Test func everyKernelIsComparedAcrossProcessors() throws {
    let table = try text("Sources/CKernels/include/ck_tiers.h")
    let kernels = table.matches(of: /ck_\w+_fn _Nonnull (\w+);/).map { String($0.1) }
    #expect(!kernels.isEmpty)
    let digest = try text("scripts/arm64/digest.c")
    for kernel in kernels where !kernel.hasPrefix("winograd_") {
      #expect(digest.contains("k->\(kernel)("), "scripts/arm64/digest.c does not call \(kernel)")
    }
  }

  @Test func scriptsAreExecutable() throws {
    for name in [
      "bootstrap", "demo", "test", "record-cli", "conformance", "conformance-data", "real-models",
    ] {
      let path = Self.root.appending(path: "scripts/\(name)").path()
      #expect(FileManager.default.isExecutableFile(atPath: path))
    }
    #expect(
      FileManager.default.isExecutableFile(atPath: Self.root.appending(path: ".ci/run").path()))
  }
}
