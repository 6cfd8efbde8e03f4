import ModelIR
import ModelOperators
import ModelRuntime
import TensorCore
import Testing

@testable import ModelQuantization

@Suite struct BiasCorrectionTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let op: any WeightedOperator
    let input: [Int]
    let weight: [Int]
  }

  private static let cases = [
    Case(
      testDescription: "padded, strided, dilated convolution",
      op: Convolution(window: Window(strides: [2, 1], dilations: [1, 2], pads: [1, 2, 0, 1])),
      input: [1, 3, 9, 8], weight: [5, 3, 3, 2]),
    Case(
      testDescription: "grouped convolution",
      op: Convolution(groups: 2, window: Window(pads: [1, 1])),
      input: [1, 6, 7], weight: [4, 3, 3]),
    Case(
      testDescription: "grouped, cropped transposed convolution",
      op: TransposedConvolution(
        groups: 2, window: Window(strides: [2, 2], pads: [1, 0, 1, 1]), outputPadding: [1, 0]),
      input: [1, 4, 5, 6], weight: [4, 3, 3, 4]),
    Case(testDescription: "linear", op: Linear(), input: [1, 6], weight: [6, 4]),
    Case(
      testDescription: "linear of transposed weights", op: Linear(transposeWeight: true),
      input: [1, 6], weight: [4, 6]),
  ]

  /// The mean over all positions of the layer without bias, of the weights' errors on an image of the means.
  @Test(arguments: cases) func biasesLoseTheMeanOfTheErrorsLayer(_ one: Case) throws {
    let (input, weightShape) = (try Shape(one.input), try Shape(one.weight))
    let weight = noise(weightShape, seed: 3)
    let stored = Quantizer.weights(weight, axis: one.op.weightChannelAxis)
    let sample = noise(input, seed: 4)
    var means = ChannelMeans()
    let axis = ChannelMeans.axis(of: one.op, rank: input.rank)
    means.observe(sample, axis: axis)
    let values = try #require(means.means)
    let inner = input.count(axis + 1..<input.rank)
    let image = Tensor(input, (0..<input.count).map { values[$0 / inner % values.count] })
    let errors = Tensor(
      weightShape, zip(stored.dequantized().floats(), weight.floats()).map { $0 - $1 })
    let result = try one.op.reference(Operands([image, errors]))[0]
    let channel = one.op.outputChannelAxis(rank: result.shape.rank)
    let (count, after) = (
      result.shape[channel], result.shape.count(channel + 1..<result.shape.rank)
    )
    var expected = [Double](repeating: 0, count: count)
    for (index, value) in result.floats().enumerated() {
      expected[index / after % count] -= Double(value) / Double(result.count / count)
    }
    let made = try #require(
      try BiasCorrection(op: one.op, weight: weight, stored: stored, means: means).corrected(nil))
    #expect(made.shape == (try Shape([count])))
    for (a, b) in zip(made.floats(), expected) { #expect(abs(Double(a) - b) < 1e-6) }
    #expect(expected.contains { abs($0) > 1e-4 })
  }
}
