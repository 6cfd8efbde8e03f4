import Foundation
import Maquette
import ModelBundle
import ModelIR
import TensorCore
import Testing

/// Files of adapted tensors: each clause of `B43`…`B45` broken by itself.
@Suite final class AdaptedTensorsTests {
  private static let family = RoadTests.golden.appending(path: "families/denoiser")
  private static let noisy = RoadTests.golden
    .appending(path: "media/photographs/held-out/coffee-noisy.png").path()

  private let folder: URL

  init() throws {
    folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  private func path(_ name: String) -> String { folder.appending(path: name).path() }

  /// A file of one state with one tensor, before it is broken.
  private struct Draft {
    var base: JSON = .string(Digest(of: [1, 2, 3]).description)
    var profile = "adapted"
    var record = "adapted"
    var names = ["first"]
    var tensors: [JSON] = [["part": "head", "tensor": "w"]]
    var outputs: [(name: String, tensor: Tensor)] = [
      ("first/head/w", Tensor(vector: [1, 2] as [Float]))
    ]
    /// Puts something else into the graph.
    var change: (inout Graph) throws -> Void = { _ in }

    func write(to path: String) throws {
      var graph = Graph()
      for (name, tensor) in outputs {
        try graph.addOutput(name, graph.addConstant(tensor, named: name))
      }
      try change(&graph)
      let states = names.map { name -> JSON in
        [
          "losses": [1, .number(0.5)], "name": .string(name), "preset": "own",
          "rate": .number(0.25), "steps": 2, "tensors": .array(tensors),
        ]
      }
      let contents = BundleContents(
        graph, manifest: BundleManifest(tool: "by hand", profile: profile),
        records: [record: ["base": base, "states": .array(states)]])
      try BundleWriter().write(contents, to: path)
    }
  }

  private func refuses(
    _ clause: String, _ location: SourceLocation = #_sourceLocation,
    _ change: (inout Draft) -> Void
  ) throws {
    var draft = Draft()
    change(&draft)
    try draft.write(to: path("broken.adapted"))
    let error = #expect(throws: ModelError.self, sourceLocation: location) {
      try AdaptedStates(file: path("broken.adapted")).run()
    }
    #expect(error?.code == .malformedInput, sourceLocation: location)
    #expect(
      error?.description.contains(clause) ?? false, "\(error as Any)", sourceLocation: location)
  }

  @Test func aFileOfAdaptedTensorsIsListed() throws {
    try Draft().write(to: path("whole.adapted"))
    #expect(try AdaptedStates(file: path("whole.adapted")).run().names == ["first"])
  }

  @Test func aRecordOfAnotherFormIsRefused() throws {
    try refuses("B43") { $0.record = "changed" }
    try refuses("B43") { $0.profile = "float" }
    try refuses("B43") { $0.base = "no digest" }
    try refuses("B43") { $0.base = 3 }
    try refuses("B43") {
      $0.names = []
      $0.outputs = []
    }
    try refuses("B43") { $0.names = ["first", "first"] }
    for name in ["", "a/b", String(repeating: "n", count: 65)] {
      try refuses("B43") {
        $0.names = [name]
        $0.outputs[0].name = "\(name)/head/w"
      }
    }
    try refuses("B43") { $0.tensors = [["part": "head"]] }
  }

  @Test func outputsAreTheTensorsOfTheStates() throws {
    try refuses("B44") { $0.outputs[0].name = "first/head/v" }
    try refuses("B44") { $0.outputs.append(("second/head/w", Tensor(vector: [1] as [Float]))) }
    try refuses("B44") { $0.tensors.append(["part": "head", "tensor": "w"]) }
    try refuses("B44") { $0.outputs[0].tensor = Tensor(vector: [1, 2] as [Int64]) }
    try refuses("B44") { $0.change = { _ = try $0.addInput("x", TensorType(.float32, [1])) } }
  }

  @Test func tensorsFitTheirBundle() throws {
    let bundle = path("float.maq")
    _ = try Conversion(
      models: [
        ("main", Self.family.appending(path: "restoration-d3.onnx").path()),
        ("mask", Self.family.appending(path: "mask-d3.onnx").path()),
      ], output: bundle
    ).run()
    let base = Digest(of: try FileAccess.read(bundle)).description
    var run = Execution(model: bundle, output: path("run"))
    run.media.image = Self.noisy
    run.adapted = path("own.adapted")
    func code(_ change: (inout Draft) -> Void) throws -> ModelError.Code? {
      var draft = Draft()
      draft.base = .string(base)
      change(&draft)
      try draft.write(to: path("own.adapted"))
      return #expect(throws: ModelError.self) { try run.run() }?.code
    }
    let (part, tensor) = ("primary-head", "primary_head.0.model.0.weight")
    func name(_ draft: inout Draft, _ part: String, _ tensor: String) {
      draft.tensors = [["part": .string(part), "tensor": .string(tensor)]]
      draft.outputs[0].name = "first/\(part)/\(tensor)"
    }
    #expect(try code { $0.base = .string(Digest(of: [1]).description) } == .integrityFailure)
    #expect(try code { name(&$0, "tail", tensor) } == .malformedInput)
    #expect(try code { name(&$0, part, tensor) } == .shapeMismatch)
    #expect(try code { name(&$0, part, "absent") } == .malformedInput)
  }
}
