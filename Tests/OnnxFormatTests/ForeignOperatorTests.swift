import Foundation
import ModelIR
import ModelRuntime
import OnnxFormat
import TensorCore
import Testing

/// Operators of com.microsoft give what onnxruntime gives.
@Suite struct ForeignOperatorTests {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../golden/imports").standardized.path()

  static func models(_ folder: String) -> [String] {
    let files = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return files.filter { $0.hasSuffix(".onnx") }.map { String($0.dropLast(5)) }.sorted()
  }

  static let cases = models(folder)

  @Test(arguments: cases)
  func resultsAreOnnxruntimes(name: String) throws {
    let graph = try OnnxReader().graph(path: "\(ForeignOperatorTests.folder)/\(name).onnx")
    let arrays = Dictionary(
      uniqueKeysWithValues: try NumpyArchive.read(
        path: "\(ForeignOperatorTests.folder)/\(name).npz"
      ).map { ($0.name, $0.tensor) })
    let inputs = try graph.inputs.map { try #require(arrays[$0.name]) }
    var runner = ModelRunner(graph)
    for results in [try ReferenceExecutor(graph).run(inputs), try runner.run(inputs)] {
      for (port, own) in zip(graph.outputs, results) {
        let right = try #require(arrays[port.name])
        #expect(own.element == right.element && own.shape == right.shape)
        // Integers may be a neighbour where a float32 sum is near a half.
        let slack = right.element.isInteger ? 1 : 2e-5
        for (a, b) in zip(own.doubles(), right.doubles()) {
          #expect(abs(a - b) <= slack * max(1, abs(b)), "\(port.name)")
        }
      }
    }
  }

  @Test func thereAreEnoughCases() { #expect(ForeignOperatorTests.cases.count > 50) }

  @Test func whatIsNotReadIsRefused() throws {
    let folder = "\(ForeignOperatorTests.folder)/rejected"
    let lines = try String(contentsOfFile: "\(folder)/codes.txt", encoding: .utf8)
      .split(separator: "\n")
    #expect(
      lines.compactMap { $0.split(separator: " ").first.map(String.init) }
        == ForeignOperatorTests.models(folder))
    for line in lines {
      let parts = line.split(separator: " ").map(String.init)
      let error = #expect(throws: ModelError.self, "\(parts[0])") {
        try OnnxReader().graph(path: "\(folder)/\(parts[0]).onnx")
      }
      #expect(error?.code.rawValue == parts[1], "\(parts[0]): \(error?.message ?? "")")
    }
  }
}
