import ModelIR
import ModelKernels
import TensorCore

// MARK: - Kernel

extension LayerNormalization: PlannedOperator {
  package func kernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    guard request.isFloat32, !statistics else { return nil }
    return try RowNormalizer(.layer, axis: axis, epsilon: epsilon, request)?.kernel
  }
}
