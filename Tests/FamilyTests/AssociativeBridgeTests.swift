import Foundation
import MediaIO
import ModelFamilies
import ModelIR
import ModelOperators
import OnnxFormat
import TensorCore
import Testing

@Suite struct AssociativeBridgeTests {
  static let folder = AudioLipMemoryTests.golden.appending(path: "families/associative-bridge")

  private func graph(_ name: String) throws -> Graph {
    try OnnxReader().graph(path: Self.folder.appending(path: "\(name).onnx").path())
  }

  @Test(arguments: [
    ("gru-d1", "gru"), ("gru-d2", "gru"), ("gru-d3", "gru"), ("gru-d4", "gru"),
    ("tcn-d1", "temporal"),
  ])
  func everyDialectIsRecognised(name: String, backEnd: String) throws {
    let model = try #require(FamilyModel(try graph(name)))
    #expect(model.family.name == "associative-bridge")
    let part = model.parts[0]
    #expect(part.role == "lip-reader")
    for (trait, value) in [
      ("back-end", backEnd), ("classes", "24"), ("frames", "29"), ("memory-slots", "44"),
      ("memory-radius", "16"), ("logits-port", "logits"), ("address-port", "address"),
    ] { #expect(part.trait(trait) == value, "\(trait)") }
    let measures = model.family.agreements(part)
    #expect(measures.map(\.output) == ["logits", "address"])
  }

  @Test func whatListensClaimsNothingAlone() throws {
    #expect(FamilyModel(try graph("gru-target-d3")) == nil)
    let parts = FamilyModel([
      (name: "lips", graph: try graph("gru-d1")),
      (name: "both", graph: try graph("gru-audio-visual-d3")),
      (name: "sound", graph: try graph("gru-target-d3")),
    ])
    #expect(parts?.parts.map(\.role) == ["lip-reader", "audio-visual", "target"])
  }

  @Test(arguments: ["Softmax", "MaxPool", "Conv", "Div"])
  func aGraphThatLacksOnePartIsNoBridge(kind: String) throws {
    #expect(FamilyModel(try graph("gru-d1").cut(kind)) == nil)
  }
}
