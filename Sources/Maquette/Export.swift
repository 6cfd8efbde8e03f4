import Foundation
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
    throw ModelError(.unsupportedFeature, "ONNX cannot be written yet")
  }
}
