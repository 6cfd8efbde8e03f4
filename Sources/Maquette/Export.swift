import Foundation
import OnnxFormat
import TensorCore

/// A bundle as standard ONNX.
package struct Export: Sendable {
  package let model: String
  package let output: String

  package init(model: String, output: String) {
    self.model = model
    self.output = output
  }

  package struct Outcome: Report {
    let model: String
    let output: String
    let bytes: Int

    package var text: String { "\(model) → \(output), \(Figure.bytes(bytes))" }
  }

  package func run(_ progress: ProgressObserver = .silent) throws(ModelError) -> Outcome {
    progress("reading \((model as NSString).lastPathComponent)")
    let graph = try ModelFile(model, goldens: false).graph
    progress("writing \((output as NSString).lastPathComponent)")
    let bytes = try OnnxWriter().write(graph, path: output)
    return Outcome(model: model, output: output, bytes: bytes)
  }
}
