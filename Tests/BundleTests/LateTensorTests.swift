import Foundation
import ModelBundle
import ModelIR
import ModelOperators
import ModelRuntime
import Testing

@testable import TensorCore

/// Weights that stay in a bundle's file until a plan packs them.
@Suite final class LateTensorTests {
  private let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
  private var path: String { folder.appending(path: "layer.maq").path() }
  private let input = Tensor(vector: (0..<512).map { Float($0 % 7) - 3 })

  /// x · W, W of 300 kB.
  init() throws {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    var graph = Graph()
    let x = try graph.addInput("x", TensorType(.float32, [.symbol("N"), 256]))
    let values = (0..<256 * 300).map(LateTensorTests.weight)
    let w = graph.addConstant(Tensor(try Shape([256, 300]), values), named: "w")
    let y = try graph.appendOne(Linear(), named: "y", to: [x, w])
    try graph.addOutput("y", y)
    let contents = BundleContents(
      graphs: [.init("main", graph)],
      manifest: BundleManifest(
        tool: "maquette 1", profile: "float32"))
    try Sample.writer().write(contents, to: path)
  }

  private static func weight(_ index: Int) -> Float { Float(index * 7919 % 1009) / 1009 - 0.5 }

  deinit { try? FileManager.default.removeItem(at: folder) }

  private func graph(isLate: Bool) throws -> Graph {
    let reader = try BundleReader(path: path)
    return try reader.contents(operators: Sample.operators, isLate: isLate).graphs[0].graph
  }

  private func run(_ graph: Graph) throws -> Tensor {
    var runner = ModelRunner(graph)
    return try runner.run([try input.reshaped(to: try Shape([2, 256]))])[0]
  }

  @Test func weightsArePackedAndNotKept() throws {
    let late = try graph(isLate: true)
    let weights = try #require(late.values.compactMap(\.fact.constant).first)
    #expect(!weights.storage.isLoaded)
    #expect(try run(late) == run(try graph(isLate: false)))
    #expect(!weights.storage.isLoaded)
    // Another shape packs them again, and whoever wants the elements has them.
    var runner = ModelRunner(late)
    let one = Tensor(.float32, try Shape([1, 256]), doubles: [Double](repeating: 1, count: 256))
    #expect(try runner.run([one])[0].shape == Shape([1, 300]))
    #expect(weights.floats()[1] == Self.weight(1))
    #expect(weights.storage.isLoaded)
  }

  @Test func plainLoopsLoadThem() throws {
    let late = try graph(isLate: true)
    let given = try input.reshaped(to: try Shape([2, 256]))
    let plain = try ReferenceExecutor(late).run([given])[0]
    #expect(zip(plain.floats(), try run(late).floats()).allSatisfy { abs($0 - $1) < 1e-4 })
  }

  @Test func damageIsToldWhenTheyArePacked() throws {
    let late = try graph(isLate: true)
    let whole = try FileAccess.read(path)
    let file = try FileHandle(forUpdating: URL(filePath: path))
    try file.seek(toOffset: UInt64(whole.count - 1000))
    try file.write(contentsOf: [UInt8](repeating: 0x5A, count: 64))
    let damaged = #expect(throws: ModelError.self) { try run(late) }
    #expect([.integrityFailure, .malformedInput].contains(damaged?.code))
    try file.truncate(atOffset: 4096)
    #expect(#expect(throws: ModelError.self) { try run(late) }?.code == .inputOutput)
    try file.close()
  }
}
