import ModelIR
import TensorCore

/// X as uint8 with the scale and zero point that its own range asks for (`DynamicRange`): outputs the steps,
/// the scale and the zero point. ONNX DynamicQuantizeLinear 11.
package struct DynamicQuantizeLinear: Operator {
  package static let name = "DynamicQuantizeLinear"
  package init() {}

  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(1...1)
    let x = try inputs.required(0)
    guard x.element == .float32 else {
      throw ModelError(.typeMismatch, "DY1: DynamicQuantizeLinear of \(x.element), not float32")
    }
    return [
      x.type.with(element: .uint8), TensorType(.float32, Shape.scalar),
      TensorType(.uint8, Shape.scalar),
    ]
  }

  package func outputElements(_ inputs: Operands<Fact>) throws(ModelError) -> [ElementType] {
    [.uint8, .float32, .uint8]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    let values = x.floats()
    let range = DynamicRange(values)
    return [
      Tensor(.uint8, x.shape, doubles: values.map { Double(range.step(of: $0)) }),
      Tensor(scalar: range.scale),
      Tensor(.uint8, .scalar, doubles: [Double(range.zeroPoint)]),
    ]
  }
}

extension DynamicQuantizeLinear: ImportableOperator {
  package static let importers = [
    Importer("DynamicQuantizeLinear", 11...newestOpset) { _ in DynamicQuantizeLinear() }
  ]
}
