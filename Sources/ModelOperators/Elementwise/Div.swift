import ModelIR
import ModelKernels
import TensorCore

/// y = a / b with multidirectional broadcasting; integers round towards zero, wrap around, and give
/// 0 for a divisor of 0. ONNX Div 7–14.
package struct Div: BinaryOperator {
  package static let name = "Div"
  package static let rightIdentity: Int? = 1
  package static let binaryFunction: BinaryFunction? = .divide
  package init() {}
  package func apply(_ a: Double, _ b: Double) -> Double { a / b }
  package func apply(_ a: Int64, _ b: Int64) -> Int64 {
    b == 0 ? 0 : a.dividedReportingOverflow(by: b).partialValue
  }
  package func apply(_ a: UInt64, _ b: UInt64) -> UInt64 { b == 0 ? 0 : a / b }
}

extension Div: ImportableOperator {
  package static let importers = [
    .aligning(Div.self), Importer("Div", 7...newestOpset) { _ in Div() },
  ]
}

extension Div: DifferentiableOperator {
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    let (a, b, gradient) = (try site.operand(0), try site.operand(1), try site.gradient())
    return [
      try site.wants(0) ? (gradient / b).reduced(to: a.shape) : nil,
      try site.wants(1) ? (-(gradient * site.output() / b)).reduced(to: b.shape) : nil,
    ]
  }
}
