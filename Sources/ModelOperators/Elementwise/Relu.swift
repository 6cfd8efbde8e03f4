import ModelIR
import ModelKernels
import TensorCore

/// y = max(x, 0), NaN for NaN. ONNX Relu 6–14.
package struct Relu: NumericUnaryOperator {
  package static let name = "Relu"
  package init() {}
  package func apply(_ x: Double) -> Double { x < 0 ? 0 : x }
  package func apply(_ x: Int64) -> Int64 { max(x, 0) }
  package func apply(_ x: UInt64) -> UInt64 { x }
  package var elementKernel: ElementKernel? { .function(.relu) }
}

extension Relu: ImportableOperator {
  package static let importers = [Importer("Relu", 6...newestOpset) { _ in Relu() }]
}

extension Relu: DifferentiableOperator {
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    [try site.gradient().gated(by: site.output())]
  }
}
