import ModelIR
import ModelKernels
import TensorCore

// MARK: - Kernel

extension MaxPool: PlannedOperator {
  package func kernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    let x = try request.operands.required(0)
    let shape = x.shape
    guard x.fact.element == .float32, !(indices && columnMajor) else { return nil }
    let table = WindowTable(try geometry(of: shape))
    guard !indices else { return table.placesKernel(planes: shape.count(0..<2)) }
    if try request.layoutOfFirst() == .channelsLast {
      let channels = shape[1]
      return table.kernel(images: shape[0], channels: channels) {
        table.maxima($0, $1, channels: channels, to: $2)
      }
    }
    return table.kernel(planes: shape.count(0..<2)) { table.maxima($0, to: $1) }
  }
}
