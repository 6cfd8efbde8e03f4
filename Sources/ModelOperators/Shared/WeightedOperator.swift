import ModelIR
import TensorCore

/// An operator that multiplies operand 0 by weights (operand 1), sums, and ends in an ``Epilogue`` whose
/// operands are 2 to 4: its integer form is `Q11` to `Q20`.
package protocol WeightedOperator: IntegerOperator, PackingOperator {
  var epilogue: Epilogue { get set }
  /// The axis of the weights that counts output channels.
  var weightChannelAxis: Int { get }
  /// How many times the weights' channels repeat in the output's: the groups of a transposed
  /// convolution.
  var weightChannelRepeats: Int { get }
  /// The axis of the output that counts channels.
  func outputChannelAxis(rank: Int) -> Int
  /// How many elements of the image each tap of the window reads for an element of the output, on average over
  /// all of them, in the order of the weights; of a layer that has no window 1.
  func tapUse(_ input: Shape, _ weight: Shape) throws(ModelError) -> [Double]
  /// Σ x·w for each element of the output, padding adding nothing.
  func integerSums(
    _ x: [Int64], _ input: Shape, _ w: [Int64], _ weight: Shape
  ) throws(ModelError) -> [Int64]
}

/// What the integer form of one layer is made of.
package struct IntegerLayer: Sendable {
  package let input: QuantizationParameters
  package let weights: IntegerWeights
  package internal(set) var epilogue: IntegerEpilogue
}

extension WeightedOperator {
  package var weightChannelRepeats: Int { 1 }

  /// - Throws: `not-quantizable` with the clause that is broken.
  package func integerLayer(
    _ inputs: Operands<Fact>, _ output: TensorType
  ) throws(ModelError) -> IntegerLayer {
    let input = try IntegerArithmetic.activation(try inputs.required(0).type, "operand")
    let weight = try inputs.required(1)
    guard let shape = weight.type.shape else {
      throw ModelError(.notQuantizable, "Q6: weights of unknown shape")
    }
    guard weightChannelAxis < shape.rank else {
      throw ModelError(.notQuantizable, "Q6: weights of shape \(shape)")
    }
    let weights = try IntegerWeights(
      weight: weight, bias: inputs.optional(2), axis: weightChannelAxis,
      channels: shape[weightChannelAxis] * weightChannelRepeats, input: input)
    let epilogue = try IntegerEpilogue(
      epilogue, input: input, weightScales: weights.scales, residual: inputs.optional(3),
      slope: inputs.optional(4), output: output)
    return IntegerLayer(input: input, weights: weights, epilogue: epilogue)
  }

  package func checkInteger(
    _ inputs: Operands<Fact>, _ outputs: [TensorType]
  ) throws(ModelError) {
    _ = try integerLayer(inputs, outputs[0])
  }

  package func integerReference(
    _ inputs: Operands<Tensor>, _ outputs: [TensorType]
  ) throws(ModelError) -> [Tensor] {
    let (x, w) = (try inputs.required(0), try inputs.required(1))
    let layer = try integerLayer(inputs.map { Fact($0) }, outputs[0])
    guard let shape = outputs[0].shape else {
      throw ModelError(.unknownShape, "the output's shape")
    }
    let axis = outputChannelAxis(rank: shape.rank)
    var sums = try integerSums(
      x.integers().map { $0 - Int64(layer.input.zeroPoint) }, x.shape, w.integers(), w.shape)
    if let bias = inputs.optional(2)?.integers() {
      let inner = shape.count(axis + 1..<shape.rank)
      for index in sums.indices { sums[index] += bias[index / inner % bias.count] }
    }
    return [try layer.epilogue.finish(sums, outputs[0], axis: axis, residual: inputs.optional(3))]
  }
}
