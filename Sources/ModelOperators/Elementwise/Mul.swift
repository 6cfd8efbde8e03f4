import ModelIR
import ModelKernels
import TensorCore

/// y = a · b with multidirectional broadcasting; integers wrap around. ONNX Mul 7–14.
package struct Mul: BinaryOperator {
  package static let name = "Mul"
  package static let rightIdentity: Int? = 1
  package static let binaryFunction: BinaryFunction? = .multiply
  package init() {}
  package func apply(_ a: Double, _ b: Double) -> Double { a * b }
  package func apply(_ a: Int64, _ b: Int64) -> Int64 { a &* b }
}

extension Mul: ImportableOperator {
  package static let importers = [
    .aligning(Mul.self), Importer("Mul", 7...newestOpset) { _ in Mul() },
    .quantized("QLinearMul", operands: 2) { _ in Mul() },
  ]
}

extension Mul: DifferentiableOperator {
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    let (a, b, gradient) = (try site.operand(0), try site.operand(1), try site.gradient())
    return [
      try site.wants(0) ? (gradient * b).reduced(to: a.shape) : nil,
      try site.wants(1) ? (gradient * a).reduced(to: b.shape) : nil,
    ]
  }
}
