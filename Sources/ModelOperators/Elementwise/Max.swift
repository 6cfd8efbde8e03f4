import ModelIR
import ModelKernels
import TensorCore

/// The greatest of any number of operands, NaN where one is, with multidirectional broadcasting. ONNX Max 8–13.
package struct Max: VariadicOperator {
  package static let name = "Max"
  package static let binaryFunction: BinaryFunction? = .maximum
  package init() {}
  package func apply(_ a: Double, _ b: Double) -> Double { a.isNaN || a > b ? a : b }
  package func apply(_ a: Int64, _ b: Int64) -> Int64 { max(a, b) }
  package func apply(_ a: UInt64, _ b: UInt64) -> UInt64 { max(a, b) }
}

extension Max: ImportableOperator {
  package static let importers = [Importer("Max", 6...newestOpset) { _ in Max() }]
}

extension Max: DifferentiableOperator {
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    try site.gradientsOfChosen()
  }
}
