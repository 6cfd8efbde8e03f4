import ModelIR
import ModelKernels
import TensorCore

// MARK: - Kernel

extension MaxPool: PlannedOperator {
  package func kernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    guard request.isFloat32, !indices else { return nil }
    let shape = try request.operands.required(0).shape
    let table = WindowTable(try geometry(of: shape))
    if try request.layoutOfFirst() == .channelsLast {
      let channels = shape[1]
      return table.kernel(images: shape[0], channels: channels) {
        table.maxima($0, $1, channels: channels, to: $2)
      }
    }
    return table.kernel(planes: shape.count(0..<2)) { table.maxima($0, to: $1) }
  }
}
