import ModelIR
import ModelKernels
import TensorCore

/// The sum of any number of operands, with multidirectional broadcasting. ONNX Sum 8–13.
package struct Sum: VariadicOperator {
  package static let name = "Sum"
  package static let binaryFunction: BinaryFunction? = .add
  package init() {}
  package func accepts(_ element: ElementType) -> Bool { element.isFloatingPoint }
  package func apply(_ a: Double, _ b: Double) -> Double { a + b }
  package func apply(_ a: Int64, _ b: Int64) -> Int64 { a &+ b }
}

extension Sum: ImportableOperator {
  package static let importers = [Importer("Sum", 6...newestOpset) { _ in Sum() }]
}

extension Sum: DifferentiableOperator {
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    try (0..<site.operandCount).map { (index) throws(ModelError) in
      try site.gradient().reduced(to: site.operand(index).shape)
    }
  }
}
