import Foundation
import ModelIR
import ModelOperators
import ModelPasses
import ModelRuntime
import OnnxFormat
import TensorCore
import Testing

/// How much more memory plans take than lives at once.
@Suite struct ArenaTests {
  /// The committed networks that have their weights beside them.
  static let models: [String] = {
    let folder = repository.appending(path: "golden/families").path()
    let files = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
    return files.filter { $0.hasSuffix("-d1.onnx") || $0.hasSuffix("-d3.onnx") }.sorted()
  }()

  @Test(arguments: models) func arenasAreLittleMoreThanWhatLivesAtOnce(model: String) throws {
    let path = repository.appending(path: "golden/families/\(model)").path()
    let graph = try Pipeline.portable.run(on: try OnnxReader().graph(path: path))
    var runner = ModelRunner(graph)
    let inputs = try graph.inputs.map { port in
      let type = graph.type(port.value)
      let shape = try Shape((type.dimensions ?? []).map { $0.value ?? 16 })
      return Tensor(type.element, shape, doubles: [Double](repeating: 1, count: shape.count))
    }
    guard let plan = try runner.plan(inputs) else { return }
    let ratio = Double(plan.arenaByteCount) / Double(max(plan.liveByteCount, 1))
    #expect(ratio <= 1.15, "\(plan.arenaByteCount) bytes for \(plan.liveByteCount)")
  }
}
