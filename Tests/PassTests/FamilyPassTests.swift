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

  /// Whatever the exporter wrote, one network remains: its normalisations are gone, its memory is one operator.
  @Test(arguments: dialects)
  func everyDialectBecomesTheSameOperators(dialect: String) throws {
    let optimised = try Pipeline.portable.run(on: FamilyPassTests.graph(dialect))
    #expect(
      optimised.census
        == "Concat 7, Conv 45, ConvTranspose 6, Linear 2, MemoryRead 1, Reshape 2")
    #expect(try Pipeline.portable.run(on: optimised).nodes.count == optimised.nodes.count)
  }

  /// Weights are rounded once more; fifty layers of them stay within 2e-5 of an output range of 1, and so
  /// do the kernels' orders of summation.
  static let tolerance = Tolerance(absolute: 2e-5)

  static func outputs(_ graph: Graph) throws -> [NamedTensor] {
    var runner = ModelRunner(graph)
    let outputs = try runner.run(graph.sampleInputs(seed: 3))
    return zip(graph.outputs, outputs).map { NamedTensor($0.name, $1) }
  }

  @Test(arguments: dialects)
  func everyDialectKeepsItsValues(dialect: String) throws {
    let graph = try FamilyPassTests.graph(dialect)
    let compared = try Comparison.all(
      FamilyPassTests.outputs(Pipeline.portable.run(on: graph)),
      against: FamilyPassTests.outputs(graph), within: { _ in FamilyPassTests.tolerance })
    #expect(compared.filter { !$0.passed } == [])
  }

  @Test func theDialectsAgree() throws {
    let made = try FamilyPassTests.dialects.map {
      try FamilyPassTests.outputs(Pipeline.portable.run(on: FamilyPassTests.graph($0)))
    }
    for other in made.dropFirst() {
      let compared = Comparison.all(
        other, against: made[0], within: { _ in FamilyPassTests.tolerance })
      #expect(compared.filter { !$0.passed } == [])
    }
  }
}
