import ModelIR
import TensorCore

/// A matrix: the axes before `axis` as rows, the rest as columns. ONNX Flatten 1–25.
package struct Flatten: Operator {
  package static let name = "Flatten"
  package static let fields = [Field("axis", \Flatten.axis)]

  /// Counted from the end where negative; may equal the rank.
  package var axis = 1

  package init() {}
  package init(axis: Int) { self.axis = axis }
}

// MARK: - Types

extension Flatten {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(1...1)
    let x = try inputs.required(0)
    guard let dimensions = x.type.dimensions else {
      return [x.type.with(dimensions: [.unknown, .unknown])]
    }
    let split = axis < 0 ? axis + dimensions.count : axis
    guard (0...dimensions.count).contains(split) else {
      throw ModelError(.invalidValue, "FL1: axis \(axis) of rank \(dimensions.count)")
    }
    return [
      x.type.with(dimensions: [
        Flatten.product(dimensions[..<split]), Flatten.product(dimensions[split...]),
      ])
    ]
  }

  /// The product of extents; one that is not fixed passes only where the rest are 1.
  static func product(_ dimensions: ArraySlice<Dimension>) -> Dimension {
    var open: [Dimension] = []
    var product = 1
    for dimension in dimensions {
      guard let value = dimension.value else {
        open.append(dimension)
        continue
      }
      let (next, overflow) = product.multipliedReportingOverflow(by: value)
      if overflow { return .fixed(.max) }  // beyond the limit of any shape
      product = next
    }
    if product == 0 || open.isEmpty { return .fixed(product) }
    return open.count == 1 && product == 1 ? open[0] : .unknown
  }
}

// MARK: - Reference

extension Flatten {
  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    try reshaped(inputs)
  }
}

extension Flatten: RelabellingOperator {}

// MARK: - Import

extension Flatten: ImportableOperator {
  package static let importers = [
    Importer("Flatten", 1...newestOpset) { node throws(ModelError) in
      Flatten(axis: try node.attribute("axis", default: 1))
    }
  ]
}

// MARK: - Gradient

extension Flatten: DifferentiableOperator {
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    [try site.gradient().reshaped(to: site.operand(0).shape)]
  }
}
