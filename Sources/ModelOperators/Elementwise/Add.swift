import ModelIR
import ModelKernels
import TensorCore

/// y = a + b with multidirectional broadcasting; integers wrap around. ONNX Add 7–14.
package struct Add: BinaryOperator {
  package static let name = "Add"
  package static let rightIdentity: Int? = 0
  package static let binaryFunction: BinaryFunction? = .add
  package init() {}
  package func apply(_ a: Double, _ b: Double) -> Double { a + b }
  package func apply(_ a: Int64, _ b: Int64) -> Int64 { a &+ b }
}

extension Add: ImportableOperator {
  package static let importers = [
    .aligning(Add.self), Importer("Add", 7...newestOpset) { _ in Add() },
    .quantized("QLinearAdd", operands: 2) { _ in Add() },
  ]
}

extension Add: DifferentiableOperator {
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    let (a, b, gradient) = (try site.operand(0), try site.operand(1), try site.gradient())
    return [
      try site.wants(0) ? gradient.reduced(to: a.shape) : nil,
      try site.wants(1) ? gradient.reduced(to: b.shape) : nil,
    ]
  }
}
