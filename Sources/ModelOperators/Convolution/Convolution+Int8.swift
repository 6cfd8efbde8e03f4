import ModelIR
import TensorCore

extension Convolution: WeightedOperator {
  package var weightChannelAxis: Int { 0 }
  package func outputChannelAxis(rank: Int) -> Int { 1 }
  package func tapUse(_ input: Shape, _ weight: Shape) throws(ModelError) -> [Double] {
    let window = try ConvolutionGeometry(self, input: input, weight: weight).window
    return window.tapCounts.map { Double($0) / Double(window.outputCount) }
  }
  package func integerSums(
    _ x: [Int64], _ input: Shape, _ w: [Int64], _ weight: Shape
  ) throws(ModelError) -> [Int64] {
    try ConvolutionGeometry(self, input: input, weight: weight).convolve(x, w)
  }
}
