import Foundation
import ModelIR
import ModelOperators
import OnnxFormat
import TensorCore
import Testing

/// The exports under `golden/families`: one network in four dialects.
@Suite struct FamilyImportTests {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../golden/families/audio-lip-memory").standardized

  static func graph(_ dialect: String) throws -> Graph {
    try OnnxReader().graph(path: folder.appending(path: "small-\(dialect).onnx").path())
  }

  @Test(arguments: ["d1", "d2", "d3", "d4"])
  func everyDialectImports(dialect: String) throws {
    let graph = try FamilyImportTests.graph(dialect)
    try graph.verify()
    #expect(graph.inputs.map(\.name) == ["audio", "faces"])
    #expect(graph.outputs.map(\.name) == ["frames", "address"])
    #expect(!graph.metadata.values.contains { $0.contains("/") })
    let convolutions = graph.nodes.filter { $0.op is Convolution }
    #expect(convolutions.count == 45)
    #expect(
      convolutions.contains { $0.origin.hasSuffix("face_encoder_blocks.1.0.conv_block.0") })
  }
}
