import Foundation
import ModelIR
import ModelOperators
import ModelPasses
import ModelQuantization
import ModelRuntime
import OnnxFormat
import TensorCore
import Testing

/// Memories of one head and of several, written to ONNX in steps and found again, and as integers.
@Suite struct MemoryTests {
  private static func graph(_ name: String) throws -> Graph {
    let path = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../golden/passes/recognise-memory/\(name).before.txt")
    let text = try String(contentsOf: path, encoding: .utf8)
    return try Pipeline.portable.run(on: GraphText.parse(text, operators: allOperators))
  }

  private static func queries(_ graph: Graph) throws -> [Tensor] {
    let width = try #require(graph.type(graph.inputs[0].value).dimensions?[1].value)
    return [try OnnxWriterTests.tensor([5, width])]
  }

  private static func quantized(_ graph: Graph) throws -> Graph {
    var calibration = Calibration(try Quantizer.prepared(graph))
    try calibration.observe(try queries(graph))
    let (made, record) = try Quantizer(method: .minMax).quantize(calibration)
    #expect(record.layers.filter { $0.operatorName == "MemoryRead" }.map(\.floatReason) == [nil])
    return made
  }

  private static func memory(_ graph: Graph) throws -> MemoryRead {
    let found = graph.nodes.compactMap { $0.op as? MemoryRead }
    #expect(found.count == 1)
    return try #require(found.first)
  }

  @Test(arguments: ["fusion", "heads", "plain"])
  func whatIsWrittenInStepsIsFoundAgain(name: String) throws {
    let graph = try Self.graph(name)
    #expect(try OnnxWriterTests.difference(graph, Self.queries(graph)) < 1e-6)
    let again = try Pipeline.portable.run(
      on: OnnxReader().graph(bytes: try OnnxWriter().bytes(of: graph)))
    let (found, written) = (try Self.memory(again), try Self.memory(graph))
    #expect(found.isEqual(to: written))
  }

  /// Values of 8 bits; keys, a direction and shares of 16.
  @Test(arguments: ["fusion", "heads", "plain"])
  func asIntegersItStaysClose(name: String) throws {
    let graph = try Self.graph(name)
    let integers = try Self.quantized(graph)
    _ = try Self.memory(integers)
    let inputs = try Self.queries(graph)
    let expected = try ReferenceExecutor(graph).run(inputs)
    var runner = ModelRunner(integers)
    for (made, wanted) in zip(try runner.run(inputs), expected) {
      let scale = wanted.doubles().map(abs).max() ?? 0
      let worst = zip(made.doubles(), wanted.doubles()).map { abs($0 - $1) }.max() ?? 0
      // One part of 127 in the operand of the layer before, of the values and of the layer after.
      #expect(worst < 0.03 * max(scale, 1), "\(worst) of \(scale)")
    }
    #expect(try OnnxWriterTests.difference(integers, inputs) < 1e-3)
  }

  @Test func keysThatAreNotConstantHaveNoIntegerForm() throws {
    var graph = Graph()
    let x = try graph.addInput("x", TensorType(.float32, try Shape([2, 3])))
    let keys = try graph.addInput("keys", TensorType(.float32, try Shape([4, 3])))
    let values = graph.addConstant(try OnnxWriterTests.tensor([4, 2]), named: "values")
    let made = try graph.append(MemoryRead(), named: "read", to: [x, keys, values])
    try graph.addOutput("y", made[0])
    let layers = Quantizer().preview(graph)
    #expect(
      layers[0].floatReason
        == "its weights are not constant")
    #expect(throws: ModelError.self) { try OnnxWriter().bytes(of: graph) }
  }
}
