import ModelIR
import ModelOperators
import ModelPasses
import TensorCore

/// Turns a float graph into its int8 form.
package struct Quantizer: Sendable {
  package var method: CalibrationMethod
  package var rounding: WeightRounding
  /// How coarsely weights may be rounded.
  package var noise = WeightNoise()
  /// Names of nodes that stay float whatever is found.
  package var keptFloat: Set<String>
  /// Names of layers with weights that read their operand at 16 bits.
  package var wide: Set<String> = []
  /// Of all products, how many layers that read 16 bits by themselves may sum a second time (`Q65`, `Q72`), and how many adding floats
  /// on may be worth (`Q71`).
  package var wideShare = 0.0
  /// By how much more layers that lead to memories may sum (`Q72`).
  private static let addresses = 5.0
  /// Where weights of layers may have fewer bits than eight.
  package var grid: WeightGrid?
  /// Names of layers whose weights have eight bits all the same.
  var fine: Set<String> = []
  /// Why, for those nodes of ``keptFloat`` where the caller says.
  package var keptFloatReasons: [String: FloatReason] = [:]

  package init(
    method: CalibrationMethod = .mse, rounding: WeightRounding = .corrected,
    keptFloat: Set<String> = []
  ) {
    self.method = method
    self.rounding = rounding
    self.keptFloat = keptFloat
  }

  /// The form of `graph` that calibration observes and ``quantize(_:)`` lowers: products with constant
  /// matrices are linear layers, and attention is two products.
  package static func prepared(_ graph: Graph) throws(ModelError) -> Graph {
    try Pipeline([
      Rewriting(OpenAttention()), Rewriting(MergeTransposes()), Rewriting(MakeLinear()),
    ]).run(on: graph)
  }

  /// A constant in int8 or int16 with one scale for each index along `axis`, to the nearest.
  package static func weights(
    _ constant: Tensor, axis: Int, as element: ElementType = .int8
  ) -> Tensor {
    guard element == .int8 else { return WeightQuantization.wideWeights(constant, axis: axis) }
    return WeightQuantization.weights(
      constant, axis: axis, bias: nil, input: QuantizationParameters(scale: 1, zeroPoint: 0),
      rounding: .nearest)
  }

  /// The range of each value, as eight bits take it and as 16 do.
  package struct Ranges {
    let narrow: [ValueID: ValueRange]
    let wide: [ValueID: ValueRange]
  }

  /// Those of every value of the calibrated graph, which the method alone chooses.
  package func ranges(_ calibration: borrowing Calibration) throws(ModelError) -> Ranges {
    let shares = shares(calibration.graph)
    return Ranges(
      narrow: try calibration.ranges(method).merging(shares) { $1 },
      wide: try calibration.ranges(.minMax).mapValues(\.widened).merging(shares) { $1 })
  }

  /// The int8 form of the calibrated graph, and the record of what was decided.
  package func quantize(
    _ calibration: borrowing Calibration
  ) throws(ModelError) -> (graph: Graph, record: QuantizationRecord) {
    try quantize(calibration, ranges(calibration))
  }

  /// Which form each value and node gets, in ranges that ``ranges(_:)`` gives.
  package func forms(_ calibration: borrowing Calibration, _ ranges: Ranges) -> FormPlan {
    let ranges = ranges.narrow
    var forms = FormPlan(
      calibration.graph, ranges: ranges, keptFloat: keptFloat, reasons: keptFloatReasons,
      wide: wide)
    if wideShare > 0 {
      let addresses = AddressChoice(share: Self.addresses * wideShare)
      forms.widen(addresses.layers(calibration, forms), .address)
      let noise = OutputNoise(calibration)
      forms.widen(WideChoice(share: wideShare).layers(calibration, forms, ranges, noise), .noise)
      forms.keepFloat(SumChoice(share: wideShare).values(calibration, forms, ranges, noise))
    }
    return forms
  }

  /// For those who quantize more than once.
  ///
  /// - Parameters:
  ///   - ranges: what ``ranges(_:)`` gives.
  ///   - forms: what ``forms(_:_:)`` gives; nil for those.
  package func quantize(
    _ calibration: borrowing Calibration, _ ranges: Ranges, _ forms: FormPlan? = nil
  ) throws(ModelError) -> (graph: Graph, record: QuantizationRecord) {
    let forms = forms ?? self.forms(calibration, ranges)
    var means: [ValueID: ChannelMeans] = [:]
    for node in calibration.graph.nodes where node.op is any WeightedOperator {
      guard let x = node.inputs[0] else { continue }
      means[x] = calibration.channelMeans(of: x)
    }
    var lowering = Lowering(
      calibration.graph, forms: forms, ranges: ranges.narrow, rounding: rounding,
      adaptive: rounding == .adaptive ? calibration.adaptiveRoundings : AdaptiveRoundings([:]),
      noise: noise, means: means,
      wideRanges: ranges.wide, grid: { [grid, fine] in fine.contains($0) ? nil : grid })
    let graph = try lowering.lower()
    try graph.verify()
    var layers = lowering.layers
    for index in layers.indices {
      layers[index].multiplyAccumulates = calibration.multiplyAccumulates(of: index)
    }
    let record = QuantizationRecord(
      method: method, samples: calibration.samples, activations: lowering.activations,
      layers: layers, weightNoise: noise.share)
    return (graph, record)
  }

  /// The range of shares of a whole is known without samples.
  private func shares(_ graph: Graph) -> [ValueID: ValueRange] {
    var ranges: [ValueID: ValueRange] = [:]
    for node in graph.nodes where node.op is Softmax {
      ranges[node.outputs[0]] = ValueRange(lower: 0, upper: 1)
    }
    return ranges
  }

  /// Which nodes of `graph`, as ``prepared(_:)`` gives it, would run on integers if the range of every value were
  /// known, and why the others would not.
  package func preview(_ graph: Graph) -> [QuantizationRecord.Layer] {
    var ranges: [ValueID: ValueRange] = [:]
    for index in graph.values.indices {
      ranges[graph.id(at: index)] = ValueRange(lower: -1, upper: 1)
    }
    let forms = FormPlan(
      graph, ranges: ranges, keptFloat: keptFloat, reasons: keptFloatReasons)
    return graph.nodes.indices.map { index in
      let node = graph.nodes[index]
      return QuantizationRecord.Layer(
        name: node.name, operatorName: type(of: node.op).name,
        floatReason: forms.floatReasons[index]?.text,
        floatChange: forms.floatReasons[index]?.change)
    }
  }
}
