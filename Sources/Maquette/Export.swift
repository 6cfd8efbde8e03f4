import Foundation
import ModelIR
import ModelVerification
import OnnxFormat
import TensorCore

/// A model as standard ONNX, which other runtimes read; int8 becomes QuantizeLinear and DequantizeLinear.
package struct Export: Sendable {
  package let model: String
  package let output: String
  package var options = ExecutionOptions()
  /// The part that is exported, where there are several.
  package var part: String?

  package init(model: String, output: String) {
    self.model = model
    self.output = output
  }

  /// How far the exported model, read back and run here, is from the model.
  package struct Difference: Encodable, Sendable {
    let golden: String
    package let output: String
    let maxAbsError: Double
    package let sqnrDb: Double
    let problem: String?
  }

  package struct Outcome: Report {
    let model: String
    let output: String
    let precision: String
    let bytes: Int
    let nodes: Int
    package let differences: [Difference]

    package var passed: Bool { differences.allSatisfy { $0.problem == nil } }

    package var text: String {
      var lines = ["\(model) (\(precision)) → \(output), \(nodes) nodes, \(Figure.bytes(bytes))"]
      for item in differences {
        lines.append(
          "  \(item.output) of \(item.golden): read back and run, SQNR "
            + "\(Figure.decibels(item.sqnrDb)), max error \(Figure.error(item.maxAbsError))"
            + (item.problem.map { ", " + $0 } ?? ""))
      }
      if differences.isEmpty { lines.append("  no goldens to measure the difference with") }
      return lines.joined(separator: "\n")
    }
  }

  package func run(_ progress: ProgressObserver = .silent) throws(ModelError) -> Outcome {
    let file = try ModelFile(model).part(part)
    progress("writing \((output as NSString).lastPathComponent)")
    _ = try OnnxWriter().write(file.graph, path: output)
    let written = try ModelFile(output)
    let exported = try written.part(nil)
    var differences: [Difference] = []
    var original = try Runner(file.graph, options)
    var copy = try Runner(exported.graph, options)
    for (index, golden) in file.goldens.enumerated() {
      progress("measuring", index + 1, of: file.goldens.count)
      let expected = try original.run(golden.inputs)
      let made = try copy.run(golden.inputs)
      for port in file.graph.outputs {
        guard let a = made[port.name], let b = expected[port.name] else { continue }
        let metrics = try Metrics(a, against: b)
        differences.append(
          Difference(
            golden: golden.name, output: port.name, maxAbsError: metrics.maximumAbsoluteError,
            sqnrDb: metrics.signalToNoise, problem: metrics.problem))
      }
    }
    return Outcome(
      model: (model as NSString).lastPathComponent, output: (output as NSString).lastPathComponent,
      precision: file.precision, bytes: written.byteCount, nodes: exported.graph.nodes.count,
      differences: differences)
  }
}
