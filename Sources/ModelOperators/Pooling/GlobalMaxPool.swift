import ModelIR
import ModelKernels
import TensorCore

/// The greatest element of each plane: all axes after the first two become 1.
///
/// Clauses `PL1`, `PL2` of `formats/operators.md`; ONNX GlobalMaxPool 1–22.
package struct GlobalMaxPool: GlobalPoolingOperator {
  package static let name = "GlobalMaxPool"
  package init() {}
  package func pool(_ plane: ArraySlice<Double>) -> Double {
    plane.reduce(-.infinity) { $1.isNaN || $1 > $0 ? $1 : $0 }
  }
}

extension GlobalMaxPool: ImportableOperator {
  package static let importers = [
    Importer("GlobalMaxPool", 1...newestOpset) { _ in GlobalMaxPool() }
  ]
}

// MARK: - Kernel

extension GlobalMaxPool: PlannedOperator {
  package func kernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    try kernel(request, .maximum)
  }
}

// MARK: - Gradient

extension GlobalMaxPool: DifferentiableOperator {
  /// Where several elements are the greatest, they share alike.
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    let x = try site.operand(0)
    let chosen = try x.equals(site.output())
    let axes = Array(2..<(try x.shape.rank))
    return [try site.gradient() * chosen / chosen.sum(axes)]
  }
}
