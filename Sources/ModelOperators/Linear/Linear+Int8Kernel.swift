import ModelIR
import ModelKernels
import TensorCore

extension Linear: IntegerPlannedOperator {
  /// The rows of X are the positions of an image of one row; W's columns are its filters.
  package func integerKernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    let integers = try layerIntegers(request)
    let weight = try request.operands.required(1).shape
    let k = weight[transposeWeight ? 1 : 0]
    let n = weight[transposeWeight ? 0 : 1]
    let x = try request.operands.required(0).shape
    let size = Triple(1, 1, x.count(0..<x.rank - 1))
    var rows = integers.weights
    if !transposeWeight {
      for channel in 0..<n {
        for i in 0..<k { rows[channel * k + i] = integers.weights[i * n + channel] }
      }
    }
    let window = KernelWindow(
      inputSize: size, outputSize: size, step: Triple(1, 1, 1), taps: [Triple(0, 0, 0)],
      inputStride: KernelWindow.denseStride(size, pitch: k),
      outputStride: KernelWindow.denseStride(size, pitch: n))
    let part = ConvolutionPart(
      window: window, residualStride: window.outputStride, tapChannels: k)
    return PlannedKernel(
      IntegerConvolution(
        tier: request.tier, threads: request.threads, parts: [part],
        weights: [integers.packable(rows: rows, channels: n, k: k, firstChannel: 0)],
        pad: 0, epilogue: integers.layer.epilogue.kernel),
      layout: .rowMajor)
  }
}
