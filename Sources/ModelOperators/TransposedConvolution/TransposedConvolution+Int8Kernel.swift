import ModelIR
import ModelKernels
import TensorCore

extension TransposedConvolution: IntegerPlannedOperator {
  package static var integersPreferChannelsLast: Bool { true }

  package func integerKernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    let (x, w) = (try request.operands.required(0).shape, try request.operands.required(1).shape)
    guard let input = ChannelsLastImage(x),
      let output = ChannelsLastImage(try request.outputShape())
    else { return nil }
    let geometry = try ConvolutionGeometry(self, input: x, weight: w)
    return try PlannedKernel(
      integers: layerIntegers(request), geometry,
      ConvolutionParts(transposed: geometry, input: input, output: output), .channelsFirst, request)
  }
}
