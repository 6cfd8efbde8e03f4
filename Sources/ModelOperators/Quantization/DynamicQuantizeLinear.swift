import ModelIR
import TensorCore

/// X as uint8 with the scale and zero point that its own range asks for: from = min(0, min x),
/// to = max(0, max x), scale = (to − from) / 255, zero point = clamp(round(−from / scale), 0, 255),
/// y = clamp(round(x / scale) + zero point, 0, 255); every step in float32, ties to even; a scale of 1
/// for a range of 0. ONNX DynamicQuantizeLinear 11.
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
    let from = values.reduce(0) { $1 < $0 ? $1 : $0 }
    let to = values.reduce(0) { $1 > $0 ? $1 : $0 }
    let scale: Float = to == from ? 1 : (to - from) / 255
    let zero = clamp(Double((-from / scale).rounded(.toNearestOrEven)), 0, 255)
    return [
      Tensor(
        .uint8, x.shape,
        doubles: values.map {
          clamp(Double(($0 / scale).rounded(.toNearestOrEven)) + zero, 0, 255)
        }),
      Tensor(scalar: scale), Tensor(.uint8, .scalar, doubles: [zero]),
    ]
  }
}

extension DynamicQuantizeLinear: ImportableOperator {
  package static let importers = [
    Importer("DynamicQuantizeLinear", 11...newestOpset) { _ in DynamicQuantizeLinear() }
  ]
}
