import ModelIR
import TensorCore

/// What onnxruntime's quantizer writes in the domain com.microsoft: layers that take integers with scales and
/// zero points, imported as the float layer between DequantizeLinear and QuantizeLinear.
extension Importer {
  /// A layer whose first `count` triples of operands are integers, scale and zero point, and whose last two
  /// operands are scale and zero point of the result.
  static func quantized(
    _ kind: String, operands count: Int = 1,
    make: @escaping @Sendable (ForeignNode) throws(ModelError) -> any Operator
  ) -> Importer {
    Importer(kind, domain: "com.microsoft", 1...1) { (node, graph) throws(ModelError) in
      let op = try make(node)
      var operands: [ValueID?] = []
      for index in 0..<count {
        operands.append(
          try node.dequantized(3 * index, axis: 0, "operand\(index)", in: &graph))
      }
      let y = try graph.appendOne(
        op, named: "\(node.name).real", to: operands, origin: node.origin)
      return try node.quantized(y, by: 3 * count, in: &graph)
    }
  }
}

extension ForeignNode {
  /// - Throws: `unsupported-feature` for images whose channels come last.
  func expectChannelsFirst() throws(ModelError) {
    guard try !flag("channels_last", default: false) else {
      throw ModelError(
        .unsupportedFeature,
        "\(kind) of images whose channels come last; quantize the model without layout optimisation"
      )
    }
  }
}

extension Concat {
  /// com.microsoft QLinearConcat 1: scale and zero point of the result, then triples.
  static let quantizedImporters = [
    Importer("QLinearConcat", domain: "com.microsoft", 1...1) {
      (node, graph) throws(ModelError) in
      let op = Concat(axis: try node.required(attribute: "axis"))
      guard node.operands.count > 2, node.operands.count % 3 == 2 else {
        throw ModelError(.invalidValue, "QLinearConcat of \(node.operands.count) operands")
      }
      var operands: [ValueID?] = []
      for index in stride(from: 2, to: node.operands.count, by: 3) {
        operands.append(
          try node.dequantized(index, axis: 0, "operand\(operands.count)", in: &graph))
      }
      let y = try graph.appendOne(
        op, named: "\(node.name).real", to: operands, origin: node.origin)
      return try node.quantized(y, by: 0, in: &graph)
    }
  ]
}

extension Where {
  /// com.microsoft QLinearWhere 1: the condition, two triples, scale and zero point of the result.
  static let quantizedImporters = [
    Importer("QLinearWhere", domain: "com.microsoft", 1...1) {
      (node, graph) throws(ModelError) in
      let x = try node.dequantized(1, axis: 0, "x", in: &graph)
      let y = try node.dequantized(4, axis: 0, "y", in: &graph)
      let z = try graph.appendOne(
        Where(), named: "\(node.name).real", to: [try node.required(0), x, y],
        origin: node.origin)
      return try node.quantized(z, by: 7, in: &graph)
    }
  ]
}

extension Softmax {
  /// com.microsoft QLinearSoftmax 1, whose attribute says of which opset its axis is.
  static let quantizedImporters = [
    Importer("QLinearSoftmax", domain: "com.microsoft", 1...1) {
      (node, graph) throws(ModelError) in
      let opset: Int = try node.required(attribute: "opset")
      let given = try node.attribute("axis", default: opset < 13 ? 1 : -1)
      let x = try node.dequantized(0, axis: 0, "x", in: &graph)
      guard let rank = graph.type(x).rank else {
        throw ModelError(.unknownShape, "QLinearSoftmax of an unknown rank")
      }
      let axis = try Shape.resolve(axis: given, rank: rank)
      guard opset >= 13 || axis >= rank - 1 else {
        throw ModelError(
          .unsupportedFeature, "QLinearSoftmax over the flattened axes from \(axis) on")
      }
      let y = try graph.appendOne(
        Softmax(axis: axis), named: "\(node.name).real", to: [x], origin: node.origin)
      return try node.quantized(y, by: 3, in: &graph)
    }
  ]
}

extension Gemm {
  /// com.microsoft QGemm 1: the bias has the scale α · sa · sb, and without a scale of its own the result is
  /// float32.
  static let quantizedImporters = [
    Importer("QGemm", domain: "com.microsoft", 1...1) { (node, graph) throws(ModelError) in
      var op = Gemm()
      op.transposeA = try node.flag("transA", default: false)
      op.transposeB = try node.flag("transB", default: false)
      let alpha = try node.attribute("alpha", default: Float(1))
      let a = try node.dequantized(0, axis: 0, "a", in: &graph)
      var scale = try node.required(4)
      if alpha != 1 {
        scale = try graph.appendOne(
          Mul(), named: "\(node.name).b.scale",
          to: [scale, node.constant(Tensor(scalar: alpha), "alpha", in: &graph)],
          origin: node.origin)
      }
      var dequantize = DequantizeLinear()
      dequantize.axis = op.transposeB ? 0 : 1
      let b = try graph.appendOne(
        dequantize, named: "\(node.name).b", to: [try node.required(3), scale, node.operand(5)],
        origin: node.origin)
      var operands: [ValueID?] = [a, b]
      if let bias = node.operand(6) {
        let product = try graph.appendOne(
          Mul(), named: "\(node.name).bias.scale", to: [try node.required(1), scale],
          origin: node.origin)
        dequantize.axis = -1
        operands.append(
          try graph.appendOne(
            dequantize, named: "\(node.name).bias", to: [bias, product], origin: node.origin))
      }
      guard node.operand(7) != nil else {
        return try node.append(op, on: operands, to: &graph)
      }
      let y = try graph.appendOne(
        op, named: "\(node.name).real", to: operands, origin: node.origin)
      return try node.quantized(y, by: 7, in: &graph)
    }
  ]
}

extension MatMul {
  /// com.microsoft MatMulIntegerToFloat 1 and DynamicQuantizeMatMul 1, and MatMulNBits 1.
  static let quantizedImporters = [
    Importer("MatMulIntegerToFloat", domain: "com.microsoft", 1...1) {
      (node, graph) throws(ModelError) in
      let a = try node.dequantized(
        0, scale: 2, zero: 4, axis: -2, "a", in: &graph)
      let b = try node.dequantized(1, scale: 3, zero: 5, axis: -1, "b", in: &graph)
      return try node.biased(a, b, bias: 6, in: &graph)
    },
    Importer("DynamicQuantizeMatMul", domain: "com.microsoft", 1...1) {
      (node, graph) throws(ModelError) in
      let q = try graph.append(
        DynamicQuantizeLinear(), named: "\(node.name).a.int8", to: [try node.required(0)],
        origin: node.origin)
      let a = try graph.appendOne(
        DequantizeLinear(), named: "\(node.name).a", to: q, origin: node.origin)
      let b = try node.dequantized(1, scale: 2, zero: 3, axis: -1, "b", in: &graph)
      return try node.biased(a, b, bias: 4, in: &graph)
    },
    Importer("MatMulNBits", domain: "com.microsoft", 1...1) {
      (node, graph) throws(ModelError) in
      node.ignore("accuracy_level")
      let packing = try PackedMatrix(node, in: graph)
      let w = try packing.append(node, to: &graph)
      return try node.biased(try node.required(0), w, bias: 5, in: &graph)
    },
  ]
}

extension ForeignNode {
  /// The product of `a` and `b`, and operand `bias` where it is there.
  fileprivate func biased(
    _ a: ValueID, _ b: ValueID, bias: Int, in graph: inout Graph
  ) throws(ModelError) -> [ValueID] {
    guard let bias = operand(bias) else {
      return try append(MatMul(), on: [a, b], to: &graph)
    }
    let product = try graph.appendOne(
      MatMul(), named: "\(name).product", to: [a, b], origin: origin)
    return try append(Add(), on: [product, bias], to: &graph)
  }
}

extension LSTM {
  /// com.microsoft DynamicQuantizeLSTM 1, with weights [directions, features, gates · units]: an LSTM of the
  /// numbers that the weights stand for, which rounds its activations.
  static let quantizedImporters = [
    Importer("DynamicQuantizeLSTM", domain: "com.microsoft", 1...1) {
      (node, graph) throws(ModelError) in
      var recurrence = try Recurrence(importing: node)
      recurrence.roundsActivations = true
      let op = LSTM(
        recurrence, couplesForget: try node.flag("input_forget", default: false))
      let w = try node.recurrentWeights(1, scale: 8, "w", in: &graph)
      let r = try node.recurrentWeights(2, scale: 10, "r", in: &graph)
      var operands: [ValueID?] = [try node.required(0), w, r]
      for index in 3...7 { operands.append(node.operand(index)) }
      while operands.last == .some(nil) { operands.removeLast() }
      return try node.append(op, on: operands, to: &graph)
    }
  ]
}

extension ForeignNode {
  /// (q − z) · s with one s and z for each direction, or for each of its columns, transposed.
  fileprivate func recurrentWeights(
    _ index: Int, scale: Int, _ suffix: String, in graph: inout Graph
  ) throws(ModelError) -> ValueID {
    func real(_ id: ValueID, _ what: String) throws(ModelError) -> ValueID {
      try graph.appendOne(
        Cast(to: .float32), named: "\(name).\(suffix)\(what)", to: [id], origin: origin)
    }
    func spread(_ id: ValueID, _ what: String) throws(ModelError) -> ValueID {
      let axes: [Int64] = graph.type(id).rank == 1 ? [1, 2] : [1]
      return try graph.appendOne(
        Unsqueeze(), named: "\(name).\(suffix)\(what)",
        to: [id, graph.addConstant(Tensor(vector: axes), named: "axes")], origin: origin)
    }
    let zero = try spread(try real(try required(scale + 1), ".zero"), ".zero.shaped")
    let centered = try graph.appendOne(
      Sub(), named: "\(name).\(suffix).centered",
      to: [try real(try required(index), ".steps"), zero], origin: origin)
    let values = try graph.appendOne(
      Mul(), named: "\(name).\(suffix).values",
      to: [centered, try spread(try required(scale), ".scale")], origin: origin)
    return try graph.appendOne(
      Transpose([0, 2, 1]), named: "\(name).\(suffix)", to: [values], origin: origin)
  }
}
