import ModelIR
import ModelOperators
import TensorCore

/// The int8 parameters that QuantizeLinear and DequantizeLinear nodes of a file say, where an activation
/// can have them (`Q52`).
enum FileParameters {
  /// The parameters of what a QuantizeLinear makes; nil where int8 activations have none such.
  static func made(by node: Node, in graph: Graph) -> QuantizationParameters? {
    guard let op = node.op as? QuantizeLinear, op.block == 0,
      op.precision == nil || op.precision == .float32,
      let x = node.inputs[0], graph.type(x).element == .float32
    else { return nil }
    return parameters(node, element: graph.type(node.outputs[0]).element, in: graph)
  }

  /// The parameters with which a DequantizeLinear reads its operand.
  static func read(by node: Node, in graph: Graph) -> QuantizationParameters? {
    guard let op = node.op as? DequantizeLinear, op.block == 0, let x = node.inputs[0],
      graph.type(node.outputs[0]).element == .float32
    else { return nil }
    return parameters(node, element: graph.type(x).element, in: graph)
  }

  /// Operands 1 and 2; uint8 with zero point z is int8 with z − 128.
  private static func parameters(
    _ node: Node, element: ElementType, in graph: Graph
  ) -> QuantizationParameters? {
    guard element == .int8 || element == .uint8,
      let scale = node.inputs[1].flatMap({ graph.constant($0) }), scale.count == 1,
      scale.element == .float32
    else { return nil }
    let value = scale.floats()[0]
    guard IntegerArithmetic.isValid(scale: value) else { return nil }
    var zero: Int64 = 0
    if node.inputs.count > 2, let id = node.inputs[2] {
      guard let constant = graph.constant(id), constant.count == 1 else { return nil }
      zero = constant.integers()[0]
    }
    return QuantizationParameters(
      scale: value, zeroPoint: Int32(zero) - offset(of: element))
  }

  /// How much greater an integer is in `element` than in int8.
  static func offset(of element: ElementType) -> Int32 { element == .uint8 ? 128 : 0 }
}
