import ModelIR
import TensorCore

/// The same numbers in another element type: floats rounded to nearest, floats to integers towards
/// zero, integers wrapped to the width, anything but 0 as true. ONNX Cast 6–28, and CastLike 15–25,
/// whose type is that of its second operand.
package struct Cast: Operator {
  package static let name = "Cast"
  package static let fields = [Field("to", \Cast.target)]

  package var target = ElementType.float32

  package init() {}
  package init(to target: ElementType) { self.target = target }
}

// MARK: - Types

extension Cast {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(1...1)
    return [try inputs.required(0).type.with(element: target)]
  }

  package func outputElements(_ inputs: Operands<Fact>) throws(ModelError) -> [ElementType] {
    [target]
  }

  package func extents(_ inputs: Operands<Fact>) -> [Dimension]? {
    target == .bool ? nil : inputs.optional(0)?.extents
  }
}

// MARK: - Reference

extension Cast {
  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    if x.element == target { return [x] }
    if x.element.isFloatingPoint {
      guard target == .uint64 else { return [Tensor(target, x.shape, doubles: x.doubles())] }
      return [Tensor(x.shape, x.doubles().map(Cast.unsigned))]
    }
    if target.isFloatingPoint { return [Tensor(target, x.shape, doubles: x.doubles())] }
    return [Tensor(target, x.shape, integers: x.integers())]
  }

  /// Towards zero; negative numbers wrap around, numbers from 2⁶⁴ on saturate.
  private static func unsigned(_ value: Double) -> UInt64 {
    if value >= 0x1p64 { return .max }
    return value >= 0x1p63 ? UInt64(value) : UInt64(bitPattern: Tensor.truncated(value))
  }
}

extension Cast: PlannedOperator {
  package func kernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    let x = try request.operands.required(0)
    return x.fact.element == target ? .alias(of: 0, layout: x.layout) : nil
  }
}

// MARK: - Import

extension Cast: ImportableOperator {
  package static let importers = [
    Importer("Cast", 6...newestOpset) { node throws(ModelError) in
      node.ignore("saturate", "round_mode")
      guard let target = try node.elementType("to") else {
        throw ModelError(.invalidValue, "CA1: Cast needs attribute 'to'")
      }
      return Cast(to: target)
    },
    Importer("CastLike", 15...newestOpset) { (node, graph) throws(ModelError) in
      node.ignore("saturate", "round_mode")
      let target = graph.type(try node.required(1)).element
      return try node.append(Cast(to: target), on: [node.required(0)], to: &graph)
    },
  ]
}
