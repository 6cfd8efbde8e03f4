import Foundation
import ModelIR
import OnnxFormat
import Testing

/// Every model of ONNX's own tests that imports is exported and imported again.
@Suite struct ExportConformanceTests {
  /// Upsample whose scales are only known when it runs rounds in a way that no later Resize has.
  static let withoutExport: Set = ["node/test_upsample_nearest"]

  @Test func whatIsExportedIsReadAsTheSameGraph() throws {
    try #require(
      FileManager.default.fileExists(atPath: ConformanceTests.data.path()),
      "the cases are not in .cache/conformance: run scripts/conformance-data first")
    var (same, skipped) = (0, 0)
    for name in try CaseGroup.allCases.flatMap({ try $0.names })
    where !name.hasPrefix("light/") && !ExportConformanceTests.withoutExport.contains(name) {
      let path = ConformanceTests.data.appending(path: "\(name)/model.onnx").path()
      guard let graph = try? OnnxReader().graph(path: path) else {
        skipped += 1
        continue
      }
      do {
        let again = try OnnxReader().graph(bytes: try OnnxWriter().bytes(of: graph))
        let difference = ExportConformanceTests.difference(graph, again)
        if let difference {
          Issue.record("\(name): \(difference)")
        } else {
          same += 1
        }
      } catch {
        Issue.record("\(name): \(error)")
      }
    }
    print("conformance: \(same) models survive export, \(skipped) are not imported")
  }

  /// The first difference between two graphs, other than names of values in between.
  static func difference(_ a: Graph, _ b: Graph) -> String? {
    guard a.inputs.map(\.name) == b.inputs.map(\.name) else { return "other inputs" }
    guard a.outputs.map(\.name) == b.outputs.map(\.name) else { return "other outputs" }
    return structuralDifference(a, b)
  }

  /// Operators are equal but for names within the graphs that they hold.
  private static func innerDifference(_ x: Node, _ y: Node) -> String? {
    guard !x.op.graphs.isEmpty else {
      return x.op.isEqual(to: y.op) ? nil : "\(x.op) became \(y.op)"
    }
    let others = [x, y].map { node in
      node.op.attributes.filter { if case .graph = $0.value { false } else { true } }
    }
    guard others[0].map(\.value) == others[1].map(\.value) else {
      return "\(others[0]) became \(others[1])"
    }
    for ((name, a), (_, b)) in zip(x.op.graphs, y.op.graphs) {
      guard a.inputs.count == b.inputs.count, a.outputs.count == b.outputs.count else {
        return "graph '\(name)' has other ports"
      }
      if let difference = structuralDifference(a, b) { return "graph '\(name)': \(difference)" }
    }
    return nil
  }

  private static func structuralDifference(_ a: Graph, _ b: Graph) -> String? {
    let copies = b.nodes.count - a.nodes.count
    // An output that is also another output, an input or a constant needs a copy.
    guard copies >= 0, copies <= a.outputs.count else {
      return "\(b.nodes.count) nodes instead of \(a.nodes.count)"
    }
    for (x, y) in zip(a.nodes, b.nodes) {
      if let inner = innerDifference(x, y) { return "\(type(of: x.op).name): \(inner)" }
    }
    for (x, y) in zip(a.outputs, b.outputs) where a.type(x.value) != b.type(y.value) {
      return "'\(x.name)' is \(b.type(y.value)) instead of \(a.type(x.value))"
    }
    return nil
  }
}
