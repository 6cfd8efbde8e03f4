import ModelIR
import TensorCore

/// Layers of ONNX that take integers with scales and zero points as operands: imported as the float layer
/// between DequantizeLinear and QuantizeLinear, which quantization understands.
extension ForeignNode {
  /// Operand `index` as the real numbers that its scale and zero point say, which are the next two
  /// operands. A scale for each element of an axis is one for `axis`.
  func dequantized(
    _ index: Int, axis: Int, _ suffix: String, in graph: inout Graph
  ) throws(ModelError) -> ValueID {
    try dequantized(index, scale: index + 1, zero: index + 2, axis: axis, suffix, in: &graph)
  }

  /// As above with scale and zero point elsewhere.
  func dequantized(
    _ index: Int, scale: Int, zero: Int, axis: Int, _ suffix: String, in graph: inout Graph
  ) throws(ModelError) -> ValueID {
    var op = DequantizeLinear()
    op.axis = axis
    return try graph.appendOne(
      op, named: "\(name).\(suffix)",
      to: [try required(index), try float32(scale, suffix, in: &graph), operand(zero)],
      origin: origin)
  }

  /// `value` as the integers that operands `index` (scale) and `index` + 1 (zero point) say.
  func quantized(
    _ value: ValueID, by index: Int, in graph: inout Graph
  ) throws(ModelError) -> [ValueID] {
    try append(
      QuantizeLinear(), on: [value, try float32(index, "y", in: &graph), operand(index + 1)],
      to: &graph)
  }

  private func float32(
    _ index: Int, _ suffix: String, in graph: inout Graph
  ) throws(ModelError) -> ValueID {
    let id = try required(index)
    guard graph.type(id).element != .float32 else { return id }
    return try graph.appendOne(
      Cast(to: .float32), named: "\(name).\(suffix).scale", to: [id], origin: origin)
  }

  /// Operand `index` less its zero point, operand `zero`, as float64, which holds all their products
  /// exactly. `extents` shape a zero point of rank 1.
  func centered(
    _ index: Int, zero: Int, shape extents: [Int64], _ suffix: String, in graph: inout Graph
  ) throws(ModelError) -> ValueID {
    let value = try graph.appendOne(
      Cast(to: .float64), named: "\(name).\(suffix)", to: [try required(index)], origin: origin)
    guard let point = operand(zero) else { return value }
    var offset = try graph.appendOne(
      Cast(to: .float64), named: "\(name).\(suffix).zero", to: [point], origin: origin)
    if graph.type(point).rank == 1, graph.type(point).dimensions != [1] {
      let target = constant(Tensor(vector: extents), "\(suffix).zero.shape", in: &graph)
      offset = try graph.appendOne(
        Reshape(), named: "\(name).\(suffix).zero.shaped", to: [offset, target], origin: origin)
    }
    return try graph.appendOne(
      Sub(), named: "\(name).\(suffix).centered", to: [value, offset], origin: origin)
  }
}

extension Convolution {
  /// ONNX QLinearConv 10 and ConvInteger 10.
  static let integerImporters = [
    Importer("QLinearConv", 10...newestOpset) { (node, graph) throws(ModelError) in
      try node.checkKernelShape(of: node.required(3), in: graph)
      let op = Convolution(
        groups: try node.attribute("group", default: 1), window: try Window(importing: node))
      let x = try node.dequantized(0, axis: 1, "x", in: &graph)
      let w = try node.dequantized(3, axis: 0, "w", in: &graph)
      var operands: [ValueID?] = [x, w]
      if let bias = node.operand(8) {
        let scale = try graph.appendOne(
          Mul(), named: "\(node.name).bias.scale", to: [node.operand(1), node.operand(4)],
          origin: node.origin)
        var dequantize = DequantizeLinear()
        dequantize.axis = 0
        operands.append(
          try graph.appendOne(
            dequantize, named: "\(node.name).bias", to: [bias, scale], origin: node.origin))
      }
      let y = try graph.appendOne(
        op, named: "\(node.name).real", to: operands, origin: node.origin)
      return try node.quantized(y, by: 6, in: &graph)
    },
    Importer("ConvInteger", 10...newestOpset) { (node, graph) throws(ModelError) in
      try node.checkKernelShape(of: node.required(1), in: graph)
      let op = Convolution(
        groups: try node.attribute("group", default: 1), window: try Window(importing: node))
      let rank = graph.type(try node.required(1)).rank ?? 4
      let shape: [Int64] = [-1] + [Int64](repeating: 1, count: max(0, rank - 1))
      let x = try node.centered(0, zero: 2, shape: shape, "x", in: &graph)
      let w = try node.centered(1, zero: 3, shape: shape, "w", in: &graph)
      let y = try graph.appendOne(
        op, named: "\(node.name).real", to: [x, w], origin: node.origin)
      return try node.append(Cast(to: .int32), on: [y], to: &graph)
    },
  ]
}

extension MatMul {
  /// ONNX QLinearMatMul 10–21 and MatMulInteger 10.
  static let integerImporters = [
    Importer("QLinearMatMul", 10...newestOpset) { (node, graph) throws(ModelError) in
      let a = try node.dequantized(0, axis: -2, "a", in: &graph)
      let b = try node.dequantized(3, axis: -1, "b", in: &graph)
      let y = try graph.appendOne(
        MatMul(), named: "\(node.name).real", to: [a, b], origin: node.origin)
      return try node.quantized(y, by: 6, in: &graph)
    },
    Importer("MatMulInteger", 10...newestOpset) { (node, graph) throws(ModelError) in
      let a = try node.centered(0, zero: 2, shape: [-1, 1], "a", in: &graph)
      let b = try node.centered(1, zero: 3, shape: [-1], "b", in: &graph)
      let y = try graph.appendOne(
        MatMul(), named: "\(node.name).real", to: [a, b], origin: node.origin)
      return try node.append(Cast(to: .int32), on: [y], to: &graph)
    },
  ]
}
