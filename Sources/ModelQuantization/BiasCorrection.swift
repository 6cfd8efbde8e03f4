import ModelIR
import ModelOperators
import ModelRuntime
import TensorCore

/// Takes off a layer's bias what rounded weights add to its sums on average (`Q56`): the mean of the layer without
/// bias, of the weights' rounding errors, on an image of the operand's channel means.
struct BiasCorrection {
  let op: any WeightedOperator
  /// The float weights, and the int8 ones that stand for them.
  let weight: Tensor
  let stored: Tensor
  let means: ChannelMeans

  /// The corrected bias; nil where the means are not known.
  func corrected(_ bias: Tensor?) throws(ModelError) -> Tensor? {
    guard let values = means.means, let rest = means.shape, weight.element == .float32 else {
      return nil
    }
    // A linear layer treats all rows alike.
    let shape = try Shape([1] + (op is Linear ? [values.count] : rest))
    let axis = ChannelMeans.axis(of: op, rank: shape.rank)
    guard axis < shape.rank, shape[axis] == values.count else { return nil }
    let inner = shape.count(axis + 1..<shape.rank)
    let mean = Tensor(shape, (0..<shape.count).map { values[$0 / inner % values.count] })
    let real = stored.dequantized().floats()
    let errors = Tensor(
      weight.shape, zip(real, weight.floats()).map { $0 - $1 })
    var layer = op
    layer.epilogue = Epilogue()
    var graph = Graph()
    let x = try graph.addInput("x", mean.type)
    let w = graph.addConstant(errors, named: "w")
    try graph.addOutput("y", try graph.appendOne(layer, named: "y", to: [x, w]))
    var runner = ModelRunner(graph, options: PlanOptions(profile: .exact))
    let sums = try runner.run([mean])[0]
    let channel = op.outputChannelAxis(rank: sums.shape.rank)
    let channels = sums.shape[channel]
    let after = sums.shape.count(channel + 1..<sums.shape.rank)
    var totals = [Double](repeating: 0, count: channels)
    for (index, value) in sums.floats().enumerated() {
      totals[index / after % channels] += Double(value)
    }
    let count = Double(max(sums.count / max(channels, 1), 1))
    let old = bias?.floats() ?? [Float](repeating: 0, count: channels)
    guard old.count == channels, totals.allSatisfy(\.isFinite) else { return nil }
    return Tensor(
      try Shape([channels]), zip(old, totals).map { Float(Double($0) - $1 / count) })
  }
}
