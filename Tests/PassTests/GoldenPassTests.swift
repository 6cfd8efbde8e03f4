import Foundation
import ModelIR
import ModelOperators
import ModelPasses
import ModelRuntime
import ModelVerification
import TensorCore
import Testing

/// `golden/passes/<pass>/<case>.before.txt` and what the pass makes of it.
struct GoldenPass: CustomTestStringConvertible, Sendable {
  let pass: String
  let name: String
  let before: URL
  var after: URL { before.deletingLastPathComponent().appending(path: "\(name).after.txt") }
  var testDescription: String { "\(pass)/\(name)" }

  static let folder = repository.appending(path: "golden/passes")

  static let all: [GoldenPass] = {
    let manager = FileManager.default
    let passes = (try? manager.contentsOfDirectory(atPath: folder.path())) ?? []
    return passes.sorted().flatMap { pass -> [GoldenPass] in
      let files =
        (try? manager.contentsOfDirectory(atPath: folder.appending(path: pass).path())) ?? []
      return files.sorted().filter { $0.hasSuffix(".before.txt") }.map { file in
        GoldenPass(
          pass: pass, name: String(file.dropLast(".before.txt".count)),
          before: folder.appending(path: "\(pass)/\(file)"))
      }
    }
  }()

  func graph() throws -> Graph {
    try GraphText.parse(
      String(contentsOf: before, encoding: .utf8), operators: allOperators)
  }
}

@Suite struct GoldenPassTests {
  @Test func everyPassHasGoldensAndBack() {
    #expect(Set(GoldenPass.all.map(\.pass)) == Set(allPasses.map(\.name)))
    #expect(Set(allPasses.map(\.name)).count == allPasses.count)
  }

  @Test func everyPassFileIsInTheListAndBack() throws {
    let files = try FileManager.default.contentsOfDirectory(
      atPath: repository.appending(path: "Sources/ModelPasses").path())
    let names = files.filter { $0.hasSuffix(".swift") && $0 != "Pipelines.swift" }.map { file in
      file.dropLast(".swift".count).reduce(into: "") { name, letter in
        if letter.isUppercase, !name.isEmpty { name += "-" }
        name += letter.lowercased()
      }
    }
    #expect(Set(names) == Set(allPasses.map(\.name)))
  }

  @Test(arguments: GoldenPass.all)
  func makesTheGraphThatIsExpected(golden: GoldenPass) throws {
    let pass = try #require(allPasses.first { $0.name == golden.pass })
    let made = GraphText.print(try Pipeline([pass]).run(on: golden.graph()))
    let expected = try? String(contentsOf: golden.after, encoding: .utf8)
    #expect(made == expected, "\(golden.testDescription) became:\n\(made)")
  }

  /// The law of every pass: what it makes computes the same. Structural passes move or drop nodes, so they
  /// are exact; the others round once less or once more, which these graphs of a few layers keep
  /// within 1e-5 of each value and 1e-6 of the range −1…1 of their inputs.
  @Test(arguments: GoldenPass.all, allPasses.map(\.name))
  func everyPassKeepsTheValuesOfEveryGolden(golden: GoldenPass, name: String) throws {
    let pass = try #require(allPasses.first { $0.name == name })
    let graph = try golden.graph()
    let changed = try Pipeline([pass]).run(on: graph)
    let inputs = try graph.sampleInputs(seed: 7)
    let expected = try ReferenceExecutor(graph).run(inputs)
    let actual = try ReferenceExecutor(changed).run(inputs)
    let tolerance =
      GoldenPassTests.structural.contains(name)
      ? Tolerance.exact : Tolerance(absolute: 1e-6, relative: 1e-5)
    for (index, port) in graph.outputs.enumerated() {
      let comparison = Comparison(
        port.name, actual[index], against: expected[index], within: tolerance)
      #expect(comparison.passed, "\(comparison)")
    }
  }

  /// Likewise for the whole pipeline.
  @Test(arguments: GoldenPass.all)
  func thePipelineKeepsTheValuesOfEveryGolden(golden: GoldenPass) throws {
    let graph = try golden.graph()
    let finding = try Bisection(
      .portable, within: Tolerance(absolute: 2e-6, relative: 1e-5)
    ).find(in: graph, on: graph.sampleInputs(seed: 11))
    #expect(finding == nil)
  }

  static let structural: Set = [
    "remove-dead-code", "remove-identity", "fold-constants", "fold-shape-arithmetic",
    "merge-common-subexpressions", "remove-expand", "merge-reshapes", "merge-transposes",
    "fuse-transpose",
  ]
}
