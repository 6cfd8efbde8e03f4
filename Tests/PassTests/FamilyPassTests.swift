import Foundation
import ModelIR
import ModelOperators
import ModelPasses
import ModelRuntime
import ModelVerification
import OnnxFormat
import TensorCore
import Testing

@Suite struct FamilyPassTests {
  static let folder = repository.appending(path: "golden/families/audio-lip-memory")
  static let dialects = ["small-d1", "small-d2", "small-d3", "small-d4"]

  static func graph(_ dialect: String) throws -> Graph {
    try OnnxReader().graph(path: folder.appending(path: "\(dialect).onnx").path())
  }

  /// Whatever the exporter wrote, one network remains: its key is folded, its normalisations are gone.
  @Test(arguments: dialects)
  func everyDialectBecomesTheSameOperators(dialect: String) throws {
    let optimised = try Pipeline.portable.run(on: FamilyPassTests.graph(dialect))
    #expect(
      optimised.census
        == "Concat 8, Conv 45, ConvTranspose 6, Linear 4, NormalizeL2 1, Reshape 2, Softmax 1")
    #expect(try Pipeline.portable.run(on: optimised).nodes.count == optimised.nodes.count)
  }

  /// D2 is where most is folded. Weights are rounded once more; fifty layers of them stay within 1e-5
  /// of an output range of 1.
  @Test func theValuesStay() throws {
    let graph = try FamilyPassTests.graph("small-d2")
    let inputs = try graph.sampleInputs(seed: 3, firstExtent: 1)
    let expected = try ReferenceExecutor(graph).run(inputs)
    let actual = try ReferenceExecutor(Pipeline.portable.run(on: graph)).run(inputs)
    for (index, port) in graph.outputs.enumerated() {
      let comparison = Comparison(
        port.name, actual[index], against: expected[index], within: Tolerance(absolute: 1e-5))
      #expect(comparison.passed, "\(comparison)")
    }
  }
}
