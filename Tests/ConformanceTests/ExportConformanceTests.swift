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
    let copies = b.nodes.count - a.nodes.count
    // An output that is also another output, an input or a constant needs a copy.
    guard copies >= 0, copies <= a.outputs.count else {
      return "\(b.nodes.count) nodes instead of \(a.nodes.count)"
    }
    for (x, y) in zip(a.nodes, b.nodes) where !x.op.isEqual(to: y.op) {
      return "\(x.op) became \(y.op)"
    }
    for (x, y) in zip(a.outputs, b.outputs) where a.type(x.value) != b.type(y.value) {
      return "'\(x.name)' is \(b.type(y.value)) instead of \(a.type(x.value))"
    }
    return nil
  }
}
