import ModelIR
import TensorCore

/// The mean of any number of operands, with multidirectional broadcasting. ONNX Mean 8–13.
package struct Mean: VariadicOperator {
  package static let name = "Mean"
  package init() {}
  package func accepts(_ element: ElementType) -> Bool { element.isFloatingPoint }
  package func finish(_ folded: Double, count: Int) -> Double { folded / Double(count) }
  package func apply(_ a: Double, _ b: Double) -> Double { a + b }
  package func apply(_ a: Int64, _ b: Int64) -> Int64 { a &+ b }
}

extension Mean: ImportableOperator {
  package static let importers = [Importer("Mean", 6...newestOpset) { _ in Mean() }]
}

extension Mean: DifferentiableOperator {
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    let share = try site.gradient() * (1 / Double(site.operandCount))
    return try (0..<site.operandCount).map { (index) throws(ModelError) in
      try share.reduced(to: site.operand(index).shape)
    }
  }
}
