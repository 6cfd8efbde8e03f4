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
        tier: request.tier, threads: request.threads, parts: [part], channels: [n], pad: 0,
        epilogue: integers.layer.epilogue.kernel
      ) { (scratch, pack) throws(ModelError) in
        let rows = try integers.weights.withElements(of: Int8.self, scratch) {
          filtersFirst($0, k: k, n: n)
        }
        pack(0, 0, integers.packable(rows: rows, channels: 0..<n))
      }, layout: .rowMajor, keepsReal: integers.layer.epilogue.keepsReal)
  }

  /// W as one row of `k` for each of the `n` output channels.
  func filtersFirst<Element>(
    _ weights: UnsafeBufferPointer<Element>, k: Int, n: Int
  ) -> [Element] {
    guard !transposeWeight else { return Array(weights) }
    return [Element](unsafeUninitializedCapacity: n * k) { rows, count in
      count = n * k
      for channel in 0..<n {
        for i in 0..<k { rows[channel &* k &+ i] = weights[i &* n &+ channel] }
      }
    }
  }
}
