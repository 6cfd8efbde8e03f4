import Foundation
import MediaIO
import ModelFamilies
import ModelIR
import ModelOperators
import ModelPasses
import OnnxFormat
import TensorCore
import Testing

/// Networks of the talking faces' families, small and with weights of no meaning.
enum Tiny {
  static func graph(_ family: String, _ role: String, _ dialect: String) throws -> Graph {
    let path = AudioLipMemoryTests.golden.appending(
      path: "families/\(family)/tiny/\(role)-\(dialect).onnx")
    return try OnnxReader().graph(path: path.path())
  }
}

/// Exports with a fixed batch, whose names begin with a wrapper's.
@Suite struct WrapperTests {
  @Test(
    arguments: [
      ("audio-lip-memory", "generator"), ("context-aware-lip-sync", "lips"),
      ("context-aware-lip-sync", "whole"), ("wav2-lip", "generator"), ("sync-critic", "critic"),
      ("text-to-audio-embedding", "encoder"),
    ], ["d1", "d3"])
  func wrappersAndFixedBatchesChangeNothing(
    network: (family: String, role: String), dialect: String
  ) throws {
    let graph = try Tiny.graph(
      network.family, "static-prefixed-\(network.role)", dialect)
    let model = try #require(FamilyModel(graph))
    #expect(model.family.name == network.family)
    let part = model.parts[0]
    #expect(part.role == network.role)
    #expect(part.inputs.allSatisfy { $0.type.dimensions?[0].value == 2 })
    if dialect == "d1" { #expect(graph.nodes.contains { $0.name.contains("model") }) }
    guard network.family != "audio-lip-memory" else {
      // Its free counterpart has another size.
      #expect(part.trait("memory-slots") == "96" && part.trait("memory-key-width") == "8")
      return
    }
    let open = try #require(
      FamilyModel(try Tiny.graph(network.family, network.role, dialect)))
    // With a fixed length, an exporter folds the table that positions are cut from.
    #expect(part.traits == open.parts[0].traits.filter { $0.name != "positions" })
  }
}

@Suite struct ContextAwareLipSyncTests {
  static let family = "context-aware-lip-sync"

  @Test(arguments: ["d1", "d2", "d3", "d4"])
  func lipsOfEveryDialectAreRecognisedByStructure(dialect: String) throws {
    let model = try #require(FamilyModel(try Tiny.graph(Self.family, "lips", dialect)))
    let part = model.parts[0]
    #expect(model.family.name == Self.family)
    #expect(part.role == "lips")
    #expect(part.trait("heads") == "2")
    #expect(part.trait("layers") == "2")
    #expect(part.trait("hidden-width") == "12")
    #expect(part.trait("windows") == "5")
    #expect(part.trait("width") == "8")
  }

  @Test(arguments: ["d1", "d3", "d4"])
  func bothModulesInOneGraphAreTheWhole(dialect: String) throws {
    let model = try #require(FamilyModel(try Tiny.graph(Self.family, "whole", dialect)))
    #expect(model.family.name == Self.family)
    #expect(model.parts[0].role == "whole")
    #expect(model.parts[0].trait("face-size") == "64")
    #expect(model.parts[0].trait("windows") == "5")
  }

  @Test(arguments: ["d1", "d2", "d3"])
  func partsHaveTheirRoles(dialect: String) throws {
    let graphs = try ["phones", "context", "face"].map {
      (name: $0, graph: try Tiny.graph(Self.family, $0, dialect))
    }
    let model = try #require(FamilyModel(graphs))
    #expect(model.family.name == Self.family)
    #expect(model.parts.map(\.role) == ["phones", "context", "face"])
    #expect(model.links.map(\.rule) == ["middle-unit", "neighbours"])
    #expect(model.part("face")?.trait("skip-widths") == "8 6 6 4 4 4 2")
    // An encoder of speech or a transformer may be anything by itself.
    #expect(FamilyModel(graphs[0].graph) == nil)
    #expect(FamilyModel(graphs[1].graph) == nil)
  }

  @Test(arguments: ["Softmax", "Conv"])
  func lipsThatLackAPartStayPlain(kind: String) throws {
    let graph = try Tiny.graph(Self.family, "lips", "d3").cut(kind)
    #expect(FamilyModel(graph) == nil)
  }

  @Test(arguments: ["ConvTranspose", "Tanh", "Concat"])
  func facesThatLackAPartStayPlain(kind: String) throws {
    let graph = try Tiny.graph(Self.family, "face", "d3").cut(kind)
    #expect(FamilyModel(graph) == nil)
    let whole = try Tiny.graph(Self.family, "whole", "d3").cut(kind)
    #expect(FamilyModel(whole) == nil)
  }

  @Test func nearMissesSayWhatIsMissing() throws {
    let graph = try Tiny.graph(Self.family, "lips", "d3").cut("Softmax")
    let reasons = ModelFamily.contextAwareLipSync.nearMiss(graph)
    #expect(reasons.contains { $0.contains("speech") || $0.contains("attention") })
    #expect(ModelFamily.contextAwareLipSync.nearMiss(Graph()).isEmpty)
    let lips = try Tiny.graph(Self.family, "lips", "d3")
    #expect(ModelFamily.contextAwareLipSync.nearMiss(lips).isEmpty)
  }

  @Test func theEndsStandForNeighboursBeyond() {
    #expect(ContextAwareLipSync.neighbours(of: 0, windows: 5, count: 9) == [0, 0, 0, 1, 2])
    #expect(ContextAwareLipSync.neighbours(of: 4, windows: 5, count: 9) == [2, 3, 4, 5, 6])
    #expect(ContextAwareLipSync.neighbours(of: 8, windows: 5, count: 9) == [6, 7, 8, 8, 8])
    #expect(ContextAwareLipSync.neighbours(of: 0, windows: 5, count: 1) == [0, 0, 0, 0, 0])
  }
}

@Suite struct LipEncoderTests {
  @Test(arguments: ["d1", "d2", "d3"])
  func everyDialectIsRecognisedByStructure(dialect: String) throws {
    let model = try #require(FamilyModel(try Tiny.graph("audio-lip-memory", "lips", dialect)))
    #expect(model.family.name == "audio-lip-memory")
    #expect(model.parts[0].role == "lips")
    #expect(model.parts[0].trait("face-size") == "64")
    #expect(model.parts[0].trait("feature-width") == "8")
    #expect(model.parts[0].trait("slots") == "96")
  }

  @Test func anEncoderThatLacksAPartIsNone() throws {
    let graph = try Tiny.graph("audio-lip-memory", "lips", "d1").cut("Conv")
    #expect(FamilyModel(graph) == nil)
  }
}

@Suite struct SyncCriticTests {
  @Test(arguments: ["d1", "d2", "d3"])
  func everyDialectIsRecognisedByStructure(dialect: String) throws {
    let model = try #require(FamilyModel(try Tiny.graph("sync-critic", "critic", dialect)))
    #expect(model.family.name == "sync-critic")
    #expect(model.parts[0].trait("face-size") == "64")
    #expect(model.parts[0].trait("feature-width") == "8")
    let optimised = try Pipeline.portable.run(
      on: model.recorded(
        in: try Tiny.graph("sync-critic", "critic", dialect), part: model.parts[0]))
    #expect(FamilyModel(optimised)?.parts[0].traits == model.parts[0].traits)
  }

  @Test(arguments: ["Conv", "Div"])
  func acriticThatLacksAPartIsNone(kind: String) throws {
    let whole = try Tiny.graph("sync-critic", "critic", "d1")
    let graph = try whole.cut(kind)
    #expect(FamilyModel(graph) == nil)
    #expect(!ModelFamily.syncCritic.nearMiss(graph).isEmpty)
    #expect(ModelFamily.syncCritic.nearMiss(whole).isEmpty)
  }
}

@Suite struct Wav2LipTests {
  @Test(arguments: ["d1", "d2", "d3"])
  func everyDialectIsRecognisedByStructure(dialect: String) throws {
    let model = try #require(FamilyModel(try Tiny.graph("wav2-lip", "generator", dialect)))
    #expect(model.family.name == "wav2-lip")
    #expect(model.parts[0].trait("face-size") == "64")
    #expect(model.parts[0].trait("colours") == "sigmoid")
  }

  @Test(arguments: ["Conv", "ConvTranspose", "Concat", "Sigmoid"])
  func aGeneratorThatLacksAPartIsNone(kind: String) throws {
    let graph = try Tiny.graph("wav2-lip", "generator", "d3").cut(kind)
    #expect(FamilyModel(graph) == nil)
  }

  @Test(arguments: ["Sigmoid", "Concat"])
  func nearMissesSayWhatIsMissing(kind: String) throws {
    let whole = try Tiny.graph("wav2-lip", "generator", "d3")
    #expect(ModelFamily.wav2Lip.nearMiss(whole).isEmpty)
    #expect(!ModelFamily.wav2Lip.nearMiss(try whole.cut(kind)).isEmpty)
  }
}
