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
    let part = ConvolutionPart(rows: x.count(0..<x.rank - 1), depth: k, channels: n)
    return PlannedKernel(
      IntegerConvolution(
        tier: request.tier, threads: request.threads, parts: [part], channels: [n],
        pad: Int8(truncatingIfNeeded: integers.layer.input.zeroPoint), biases: integers.biases,
        epilogue: integers.layer.epilogue.kernel, origin: origin(of: integers.weights)
      ) { (scratch, pack) throws(ModelError) in
        try integers.weights.withElements(of: Int8.self, scratch) { values in
          pack(0, 0, rows(values, channels: n))
        }
      }, layout: .rowMajor, keepsReal: integers.layer.epilogue.keepsReal)
  }

  /// What W is packed from.
  func origin(of weights: Tensor) -> WeightOrigin {
    WeightOrigin(weights, form: [transposeWeight ? 1 : 0])
  }

  /// W, of `channels` output channels, as it lies.
  func rows<Element>(
    _ weights: UnsafeBufferPointer<Element>, channels: Int
  ) -> WeightRows<Element> {
    transposeWeight
      ? WeightRows(weights, channels: channels) : WeightRows(byElement: weights, channels: channels)
  }
}
