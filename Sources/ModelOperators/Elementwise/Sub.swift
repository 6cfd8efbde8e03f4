import ModelIR
import ModelKernels
import TensorCore

/// y = a − b with multidirectional broadcasting; integers wrap around. ONNX Sub 7–14.
package struct Sub: BinaryOperator {
  package static let name = "Sub"
  package static let rightIdentity: Int? = 0
  package static let binaryFunction: BinaryFunction? = .subtract
  package init() {}
  package func apply(_ a: Double, _ b: Double) -> Double { a - b }
  package func apply(_ a: Int64, _ b: Int64) -> Int64 { a &- b }
}

extension Sub: ImportableOperator {
  package static let importers = [
    .aligning(Sub.self), Importer("Sub", 7...newestOpset) { _ in Sub() },
  ]
}

extension Sub: DifferentiableOperator {
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    let (a, b, gradient) = (try site.operand(0), try site.operand(1), try site.gradient())
    return [
      try site.wants(0) ? gradient.reduced(to: a.shape) : nil,
      try site.wants(1) ? (-gradient).reduced(to: b.shape) : nil,
    ]
  }
}
