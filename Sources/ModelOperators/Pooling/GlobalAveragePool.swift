import ModelIR
import ModelKernels
import TensorCore

/// The mean of each plane: all axes after the first two become 1.
///
/// Clauses `PL1`, `PL2` of `formats/operators.md`; ONNX GlobalAveragePool 1–22.
package struct GlobalAveragePool: GlobalPoolingOperator {
  package static let name = "GlobalAveragePool"
  package init() {}
  package func pool(_ plane: ArraySlice<Double>) -> Double {
    plane.reduce(0, +) / Double(plane.count)
  }
}

extension GlobalAveragePool: ImportableOperator {
  package static let importers = [
    Importer("GlobalAveragePool", 1...newestOpset) { _ in GlobalAveragePool() },
    .quantized("QLinearGlobalAveragePool") { node throws(ModelError) in
      try node.expectChannelsFirst()
      return GlobalAveragePool()
    },
  ]
}

// MARK: - Kernel

extension GlobalAveragePool: PlannedOperator {
  package func kernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    try kernel(request, .mean)
  }
}

// MARK: - Gradient

extension GlobalAveragePool: DifferentiableOperator {
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    let shape = try site.operand(0).shape
    let share = 1 / Double(max(1, shape.count(2..<shape.rank)))
    return [try (site.gradient() * share).expanded(to: shape)]
  }
}
