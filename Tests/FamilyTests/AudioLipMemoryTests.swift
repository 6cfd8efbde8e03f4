import Foundation
import MediaIO
import ModelFamilies
import ModelIR
import ModelOperators
import ModelPasses
import OnnxFormat
import TensorCore
import Testing

@Suite struct AudioLipMemoryTests {
  static let golden = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../golden").standardized

  private func graph(_ dialect: String) throws -> Graph {
    let path = Self.golden.appending(path: "families/audio-lip-memory/small-\(dialect).onnx")
    return try OnnxReader().graph(path: path.path())
  }

  private func media() throws -> MediaInputs {
    MediaInputs(
      recording: try Recording(
        contentsOf: Self.golden.appending(path: "media/speech/cards_001.wav").path()),
      picture: try Image(contentsOf: Self.golden.appending(path: "media/face.png").path()),
      box: try Box(left: 70, top: 75, right: 180, bottom: 185))
  }

  @Test(arguments: ["d1", "d2", "d3", "d4"])
  func everyDialectIsRecognisedByStructure(dialect: String) throws {
    let model = try #require(FamilyModel(try graph(dialect)))
    #expect(model.family.name == "audio-lip-memory")
    #expect(model.parts[0].trait("face-size") == "64")
    #expect(model.parts[0].trait("memory-slots") == "96")
    #expect(model.parts[0].trait("memory-key-width") == "80")
    #expect(model.parts[0].trait("memory-value-width") == "80")
    #expect(model.parts[0].trait("memory-radius") == "16")
    #expect(model.parts[0].trait("skip-widths") == "80 56 48 32 24 16 8")
    #expect(model.family.agreements(model.parts[0]).map(\.output) == ["frames"])
  }

  @Test func passesMayHideTheStructureOnceItIsRecorded() throws {
    let graph = try graph("d3")
    let model = try #require(FamilyModel(graph))
    let optimised = try Pipeline.portable.run(on: model.recorded(in: graph, part: model.parts[0]))
    let again = try #require(FamilyModel(optimised))
    #expect(again.family.name == model.family.name)
    #expect(again.parts[0].traits == model.parts[0].traits)
  }

  /// A change for each thing that the family is recognised by.
  @Test(arguments: ["Tanh", "Softmax", "ConvTranspose", "Concat", "Div"])
  func aGraphThatLacksOnePartIsNoFace(kind: String) throws {
    let graph = try graph("d1")
    let changed = try graph.cut(kind)
    #expect(FamilyModel(changed) == nil)
    #expect(!ModelFamily.audioLipMemory.nearMiss(changed).isEmpty)
    #expect(ModelFamily.audioLipMemory.nearMiss(graph).isEmpty)
  }

  @Test func aPlainGraphStaysPlain() throws {
    var graph = Graph()
    let input = try graph.addInput("x", TensorType(.float32, [1, 6, 64, 64]))
    let output = try graph.appendOne(Relu(), named: "y", to: [input])
    try graph.addOutput("y", output)
    #expect(FamilyModel(graph) == nil)
    graph.metadata["family"] = "no-such-family"
    #expect(FamilyModel(graph) == nil)
  }

  @Test func speechAndAFaceBecomeInputs() throws {
    let model = try #require(FamilyModel(try graph("d1")))
    let prepared = try AudioLipMemory.prepare(model, try media())
    #expect(prepared.count == 24)
    let inputs = try prepared.inputs([0, 5, 23])
    #expect(inputs["audio"]?.shape == (try Shape([3, 1, 80, 16])))
    #expect(inputs["faces"]?.shape == (try Shape([3, 6, 64, 64])))
    let faces = try #require(inputs["faces"]).floats()
    // The first copy is masked below, the second is whole.
    #expect(faces[32 * 64..<64 * 64].allSatisfy { $0 == 0 })
    #expect(faces[3 * 4096 + 32 * 64..<4 * 4096].contains { $0 != 0 })
    #expect(faces[0..<32 * 64] == faces[3 * 4096..<3 * 4096 + 32 * 64])
  }

  @Test func outputsBecomePictures() throws {
    let model = try #require(FamilyModel(try graph("d1")))
    let frames = Tensor.filled(.float32, try Shape([2, 3, 64, 64]), with: 1)
    let pictures = try AudioLipMemory.pictures(model, ["frames": frames], try media())
    #expect(pictures.count == 2)
    #expect(pictures[0].width == 256)
    #expect(pictures[0].pixels[(100 * 256 + 100) * 3] == 255)
  }

  @Test func missingMediaAreNamed() throws {
    let model = try #require(FamilyModel(try graph("d1")))
    let silent = MediaInputs(picture: try media().picture)
    let error = #expect(throws: ModelError.self) { try AudioLipMemory.prepare(model, silent) }
    #expect(error?.code == .missingInput)
  }
}

@Suite struct FamilyListTests {
  @Test func everyFolderIsAFamilyAndBack() throws {
    let folder = AudioLipMemoryTests.golden.appending(path: "../Sources/ModelFamilies").standardized
    let folders = try FileManager.default.contentsOfDirectory(atPath: folder.path())
      .filter { !$0.hasSuffix(".swift") }
    let names = folders.map { name in
      name.reduce(into: "") { text, letter in
        if letter.isUppercase, !text.isEmpty { text += "-" }
        text += letter.lowercased()
      }
    }
    #expect(names.sorted() == allFamilies.map(\.name))
  }

  @Test func everyFamilyHasGoldens() {
    for family in allFamilies {
      let folder = AudioLipMemoryTests.golden.appending(path: "families/\(family.name)")
      #expect(FileManager.default.fileExists(atPath: folder.path()))
    }
  }
}
