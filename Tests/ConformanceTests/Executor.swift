import ModelBundle
import ModelIR
import ModelOperators
import ModelPasses
import ModelRuntime
import OnnxFormat
import TensorCore

/// What runs the cases.
enum Executor: String, CaseIterable, Sendable {
  case reference, planned
  /// The reference, after the passes that every converted model goes through.
  case optimised
  /// The plan of what a bundle of the graph reads as: the same bits as planned.
  case bundle
  /// The plan of what the graph reads as, once written as ONNX again.
  case exported

  func run(_ graph: Graph, _ inputs: [Tensor]) throws(ModelError) -> [Tensor] {
    switch self {
    case .reference: return try ReferenceExecutor(graph).run(inputs)
    case .planned:
      var runner = ModelRunner(graph)
      return try runner.run(inputs)
    case .optimised: return try ReferenceExecutor(Pipeline.portable.run(on: graph)).run(inputs)
    case .bundle: return try Executor.planned.run(Executor.bundled(graph), inputs)
    case .exported:
      let written = try OnnxWriter().bytes(of: graph)
      return try Executor.planned.run(OnnxReader().graph(bytes: written), inputs)
    }
  }

  private static func bundled(_ graph: Graph) throws(ModelError) -> Graph {
    let contents = BundleContents(graph, manifest: BundleManifest(tool: "tests", profile: "float"))
    let bytes = try BundleWriter().bytes(of: contents)
    let read = try BundleReader(bytes: bytes).contents(operators: allOperators, goldens: false)
    guard let graph = read.graph() else {
      throw ModelError(.malformedInput, "the bundle has no graph")
    }
    return graph
  }

  /// Whole image classifiers are beyond plain loops, and beyond more than one run in builds that are not
  /// optimised; everything else runs everywhere.
  func runs(_ name: String) -> Bool {
    guard name.hasPrefix("light/") else { return true }
    #if DEBUG
      return self == .planned
    #else
      return self != .reference && self != .optimised
    #endif
  }
}
