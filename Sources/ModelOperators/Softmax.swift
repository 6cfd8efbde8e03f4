import Foundation
import ModelIR
import TensorCore

/// Softmax along one axis: yᵢ = exp(xᵢ − max x) / Σⱼ exp(xⱼ − max x).
///
/// Clauses `SM1`… of `formats/operators.md`; ONNX Softmax 13 (earlier versions normalise over all axes
/// from `axis` on and are imported as reshapes around this one).
package struct Softmax: Operator {
  package static let name = "Softmax"
  package static let fields = [Field("axis", \Softmax.axis)]

  /// Counted from the end where negative.
  package var axis = -1

  package init() {}
  package init(axis: Int) { self.axis = axis }
}

// MARK: - Types

extension Softmax {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(1...1)
    let x = try inputs.required(0)
    guard x.element.isFloatingPoint else {
      throw ModelError(.typeMismatch, "SM1: softmax of \(x.element); it needs a float type")
    }
    let dimensions = try x.dimensions()
    _ = try Shape.resolve(axis: axis, rank: dimensions.count)
    return [x.type]
  }
}

// MARK: - Reference

extension Softmax {
  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    let axis = try Shape.resolve(axis: axis, rank: x.shape.rank)
    let inner = x.shape.count(min(axis + 1, x.shape.rank)..<x.shape.rank)
    let extent = x.shape.rank == 0 ? 1 : x.shape[axis]
    let values = x.doubles()
    var result = values
    for outer in 0..<(values.isEmpty ? 0 : values.count / (extent * inner)) {
      for column in 0..<inner {
        let start = outer * extent * inner + column
        var greatest = -Double.infinity
        for i in 0..<extent { greatest = max(greatest, values[start + i * inner]) }
        var sum = 0.0
        for i in 0..<extent {
          let power = exp(values[start + i * inner] - greatest)
          result[start + i * inner] = power
          sum += power
        }
        for i in 0..<extent { result[start + i * inner] /= sum }
      }
    }
    return [Tensor(x.element, x.shape, doubles: result)]
  }
}

// MARK: - Import

extension Softmax: ImportableOperator {
  package static let importers =
    [
      Importer("Softmax", 1...12) { (node, graph) throws(ModelError) in
        try node.appendFlattened(to: &graph) { Softmax(axis: $0) }
      },
      Importer("Softmax", 13...newestOpset) { node throws(ModelError) in
        Softmax(axis: try node.attribute("axis", default: -1))
      },
    ] + quantizedImporters
}

// MARK: - Kernel

extension Softmax: PlannedOperator {
  package func kernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    try SoftmaxKernel.kernel(request, axis: axis, logarithm: false)
  }
}

// MARK: - Gradient

extension Softmax: DifferentiableOperator {
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    let (y, gradient) = (site.output(), try site.gradient())
    let axis = try Shape.resolve(axis: axis, rank: y.shape.rank)
    return [try y * (gradient - (gradient * y).sum([axis]))]
  }
}
