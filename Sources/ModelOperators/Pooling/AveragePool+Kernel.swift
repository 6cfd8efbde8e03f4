import ModelIR
import ModelKernels
import TensorCore

// MARK: - Kernel

extension AveragePool: PlannedOperator {
  package func kernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    guard request.isFloat32 else { return nil }
    let shape = try request.operands.required(0).shape
    let geometry = try geometry(of: shape)
    let table = WindowTable(geometry)
    let factors = KernelMemory(
      (0..<geometry.outputCount).map {
        let count = countsPadding ? geometry.paddedCount(at: $0) : geometry.taps(at: $0).count
        return 1 / Float(max(1, count))
      })
    return table.kernel(planes: shape.count(0..<2)) {
      table.sums($0, times: factors.elements(of: Float.self), to: $1)
    }
  }
}
