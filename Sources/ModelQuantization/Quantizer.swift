import ModelIR
import ModelOperators
import ModelPasses
import TensorCore

/// Turns a float graph into its int8 form.
package struct Quantizer: Sendable {
  package var method: CalibrationMethod
  /// Names of nodes that stay float whatever is found.
  package var keptFloat: Set<String>
  /// Why, for those nodes of ``keptFloat`` where the caller says.
  package var keptFloatReasons: [String: String] = [:]

  package init(method: CalibrationMethod = .mse, keptFloat: Set<String> = []) {
    self.method = method
    self.keptFloat = keptFloat
  }

  /// The form of `graph` that calibration observes and ``quantize(_:)`` lowers: products with constant
  /// matrices are linear layers.
  package static func prepared(_ graph: Graph) throws(ModelError) -> Graph {
    try Pipeline([Rewriting(MakeLinear())]).run(on: graph)
  }

  /// The int8 form of the calibrated graph, and the record of what was decided.
  package func quantize(
    _ calibration: borrowing Calibration
  ) throws(ModelError) -> (graph: Graph, record: QuantizationRecord) {
    let ranges = try calibration.ranges(method)
    let forms = FormPlan(
      calibration.graph, ranges: ranges, keptFloat: keptFloat, reasons: keptFloatReasons)
    var lowering = Lowering(calibration.graph, forms: forms, ranges: ranges)
    let graph = try lowering.lower()
    try graph.verify()
    let record = QuantizationRecord(
      method: method, samples: calibration.samples, activations: lowering.activations,
      layers: lowering.layers)
    return (graph, record)
  }
}
