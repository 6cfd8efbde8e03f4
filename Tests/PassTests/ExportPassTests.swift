import Foundation
import ModelIR
import ModelOperators
import ModelPasses
import ModelRuntime
import ModelVerification
import OnnxFormat
import TensorCore
import Testing

/// One layer as five exporters write it (`golden/reference/export_layers.py`), brought to one form.
@Suite struct ExportPassTests {
  static let dialects = ["d0", "d1", "d2", "d3", "d4"]

  static func graph(_ layer: String, _ dialect: String) throws -> Graph {
    let path = repository.appending(path: "golden/exports/\(layer)-\(dialect).onnx").path()
    return try OnnxReader().graph(path: path)
  }

  static let block =
    "Attention 1, LayerNormalization 2, Linear 6, Reshape 4, Transpose 4"
  static let reader =
    "Conv 3, Flatten 1, GRU 2, GlobalAveragePool 1, Linear 1, MaxPool 1, ReduceMean 1, Reshape 4, "
    + "Transpose 5"
  /// What is left of each layer. The batch that the TorchScript exporter splits from the frames again is a
  /// computed extent, because a quarter of a named extent has no name.
  static func expected(_ layer: String, _ dialect: String) -> String? {
    switch layer {
    case "transformer-block", "gated-block": block
    case "lip-reader":
      dialect < "d3"
        ? "Concat 1, Conv 3, Flatten 1, GRU 2, Gather 1, GlobalAveragePool 1, Linear 1, MaxPool 1, "
          + "ReduceMean 1, Reshape 5, Shape 1, Transpose 5" : reader
    case "classifier": "Linear 2"
    default: nil
    }
  }

  @Test(arguments: ["transformer-block", "gated-block", "lip-reader", "classifier"])
  func everyExporterGivesTheSameLayer(layer: String) throws {
    var reference: [Tensor] = []
    for dialect in ExportPassTests.dialects {
      let graph = try ExportPassTests.graph(layer, dialect)
      let optimised = try Pipeline.portable.run(on: graph)
      #expect(optimised.census == ExportPassTests.expected(layer, dialect), "\(layer) \(dialect)")
      let inputs = try graph.sampleInputs(seed: 5)
      let before = try ReferenceExecutor(graph).run(inputs)
      let after = try ReferenceExecutor(optimised).run(inputs)
      if reference.isEmpty { reference = before }
      for outputs in [before, after] {
        // A dozen layers of outputs around 1, each rounded to float32 or not.
        let comparison = Comparison(
          "\(layer) \(dialect)", outputs[0], against: reference[0],
          within: Tolerance(absolute: 2e-6, relative: 1e-5))
        #expect(comparison.passed, "\(comparison)")
      }
    }
  }
}
