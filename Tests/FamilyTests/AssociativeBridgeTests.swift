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

  @Test func theTrainedHeadsAreRecognised() throws {
    let part = try #require(FamilyModel(try graph("heads-d1"))?.parts.first)
    #expect(part.trait("memory-heads") == "4")
    #expect(part.trait("memory-slots") == "28")
    #expect(part.trait("classes") == "24")
  }

  @Test(arguments: ["d1", "d2", "d3", "d4"])
  func everyNetworkIsKnownInEveryDialect(dialect: String) throws {
    let heads = try #require(FamilyModel(try graph("tiny/heads-\(dialect)"))?.parts.first)
    #expect(heads.role == "lip-reader")
    #expect(heads.trait("back-end") == "temporal-with-memories")
    #expect(heads.trait("memory-heads") == "2")
    #expect(heads.trait("memory-slots") == "7")
    #expect(heads.trait("memories") == "4")
    let speech = try #require(FamilyModel(try graph("tiny/speech-\(dialect)"))?.parts.first)
    #expect(speech.role == "speech")
    #expect(speech.trait("frames") == "75")
    #expect(speech.trait("memory-slots") == "6")
    #expect(speech.trait("mel-port") == "mel")
    let temporal = try #require(FamilyModel(try graph("tiny/tcn-\(dialect)"))?.parts.first)
    #expect(temporal.trait("back-end") == "temporal")
    let both = try #require(
      FamilyModel(try graph("tiny/gru-audio-visual-\(dialect)"))?.parts.first)
    #expect(both.role == "audio-visual")
  }

  @Test(arguments: ["gru", "heads", "speech"], ["d2", "d3"])
  func wrappersAndFixedBatchesChangeNothing(network: String, dialect: String) throws {
    let fixed = try #require(FamilyModel(try graph("tiny/static-prefixed-\(network)-\(dialect)")))
    #expect(fixed.parts[0].inputs[0].type.dimensions?[0].value == 2)
    let open = try #require(FamilyModel(try graph("tiny/\(network)-\(dialect)")))
    #expect(fixed.parts[0].traits == open.parts[0].traits)
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

  /// The stages of checkpoints, with the memory by itself or with what answers.
  @Test(arguments: [
    (["gru-front-d1", "gru-memory-d1", "gru-words-d1"], ["visual-front", "memory", "back-end"]),
    (["gru-front-d3", "gru-memory-d3", "gru-words-d3"], ["visual-front", "memory", "back-end"]),
    (
      ["gru-front-d3", "gru-reader-d1", "gru-hearing-d1"],
      ["visual-front", "back-end", "audio-front"]
    ),
    (["heads-front-d1", "heads-reader-d1"], ["visual-front", "back-end"]),
    (["gru-front-d1", "speech-reader-d1"], ["visual-front", "back-end"]),
  ])
  func stagesAreRecognised(names: [String], roles: [String]) throws {
    let graphs = try names.map { (name: $0, graph: try graph("tiny/\($0)")) }
    let model = try #require(FamilyModel(graphs))
    #expect(model.parts.map(\.role) == roles)
    #expect(model.parts[0].trait("feature-width") == "8")
    #expect(model.parts[0].trait("frames") == "29")
    let answers = roles.count { ["memory", "back-end"].contains($0) }
    #expect(model.links.count == answers)
    #expect(model.links.map(\.from.port) == Array(["features", "recalled"].prefix(answers)))
    // What only goes with a front claims nothing by itself.
    for (part, named) in zip(model.parts, graphs) where part.role != "visual-front" {
      #expect(FamilyModel(named.graph) == nil, "\(named.name)")
    }
    #expect(FamilyModel(graphs[0].graph)?.parts[0].role == "visual-front")
  }

  @Test(arguments: ["AveragePool", "MaxPool", "Conv"])
  func aFrontThatLacksOnePartIsNone(kind: String) throws {
    #expect(FamilyModel(try graph("tiny/gru-front-d1").cut(kind)) == nil)
  }

  @Test(arguments: ["Softmax", "MaxPool", "Conv", "Div"])
  func aGraphThatLacksOnePartIsNoBridge(kind: String) throws {
    let cut = try graph("gru-d1").cut(kind)
    #expect(FamilyModel(cut) == nil)
    #expect(!ModelFamily.associativeBridge.nearMiss(cut).isEmpty)
  }

  @Test func nearMissesSayWhatIsMissing() throws {
    let family = ModelFamily.associativeBridge
    #expect(family.nearMiss(try graph("gru-d1")).isEmpty)
    #expect(family.nearMiss(Graph()).isEmpty)
    #expect(
      family.nearMiss(try graph("gru-d1").cut("Softmax")) == [
        "no input but lips and sound, N×1×80×C",
        "a memory: softmax(radius · cosine) over constant keys",
      ])
    var small = Graph()
    let clip = try small.addInput("video", TensorType(.float32, [1, 1, 29, 96, 96]))
    try small.addOutput("logits", try small.appendOne(Relu(), named: "y", to: [clip]))
    #expect(family.nearMiss(small).first == "frames of 112×112, not 96×96")
    #expect(family.nearMiss(small).count == 3)
  }
}
