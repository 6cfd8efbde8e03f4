import ModelIR
import ModelKernels
import TensorCore

/// The least of any number of operands, NaN where one is, with multidirectional broadcasting. ONNX Min 8–13.
package struct Min: VariadicOperator {
  package static let name = "Min"
  package static let binaryFunction: BinaryFunction? = .minimum
  package init() {}
  package func apply(_ a: Double, _ b: Double) -> Double { a.isNaN || a < b ? a : b }
  package func apply(_ a: Int64, _ b: Int64) -> Int64 { min(a, b) }
  package func apply(_ a: UInt64, _ b: UInt64) -> UInt64 { min(a, b) }
}

extension Min: ImportableOperator {
  package static let importers = [Importer("Min", 6...newestOpset) { _ in Min() }]
}

extension Min: DifferentiableOperator {
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    try site.gradientsOfChosen()
  }
}
