import Foundation
import ModelIR
import TensorCore

/// Logarithm of ``Softmax`` along one axis: yᵢ = xᵢ − max x − log Σⱼ exp(xⱼ − max x).
///
/// Clauses `SM1`… of `formats/operators.md`; ONNX LogSoftmax 1–13.
package struct LogSoftmax: AxisOperator {
  package static let name = "LogSoftmax"
  package static let fields = [Field("axis", \LogSoftmax.axis)]

  /// Counted from the end where negative.
  package var axis = -1

  package init() {}
  package init(axis: Int) { self.axis = axis }

  package func apply(_ line: [Double]) -> [Double] {
    let greatest = line.max() ?? 0
    let logarithm = log(line.reduce(0) { $0 + exp($1 - greatest) })
    return line.map { $0 - greatest - logarithm }
  }
}

extension LogSoftmax: ImportableOperator {
  package static let importers = [
    Importer("LogSoftmax", 1...12) { (node, graph) throws(ModelError) in
      try node.appendFlattened(to: &graph) { LogSoftmax(axis: $0) }
    },
    Importer("LogSoftmax", 13...newestOpset) { node throws(ModelError) in
      LogSoftmax(axis: try node.attribute("axis", default: -1))
    },
  ]
}

// MARK: - Kernel

extension LogSoftmax: PlannedOperator {
  package func kernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    try SoftmaxKernel.kernel(request, axis: axis, logarithm: true)
  }
}

// MARK: - Gradient

extension LogSoftmax: DifferentiableOperator {
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    let (y, gradient) = (site.output(), try site.gradient())
    let axis = try Shape.resolve(axis: axis, rank: y.shape.rank)
    return [try gradient - y.applying(Exp()) * gradient.sum([axis])]
  }
}
