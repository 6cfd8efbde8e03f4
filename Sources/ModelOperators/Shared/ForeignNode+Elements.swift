import ModelIR
import TensorCore

extension ElementType {
  /// The element type that ONNX numbers `code` (`TensorProto.DataType`); nil for those that Maquette
  /// does not hold.
  package init?(onnx code: Int) {
    switch code {
    case 1: self = .float32
    case 2: self = .uint8
    case 3: self = .int8
    case 4: self = .uint16
    case 5: self = .int16
    case 6: self = .int32
    case 7: self = .int64
    case 9: self = .bool
    case 10: self = .float16
    case 11: self = .float64
    case 12: self = .uint32
    case 13: self = .uint64
    case 16: self = .bfloat16
    case 21: self = .uint4
    case 22: self = .int4
    default: return nil
    }
  }
}

extension ForeignNode {
  /// An attribute that is an ONNX element type, or nil where the file does not set it or sets 0.
  ///
  /// - Throws: `unsupported-feature` for a type that Maquette does not hold.
  package func elementType(_ name: String) throws(ModelError) -> ElementType? {
    guard let code = try optional(name, as: Int.self), code != 0 else { return nil }
    guard let element = ElementType(onnx: code) else {
      throw ModelError(.unsupportedFeature, "\(kind): '\(name)' is ONNX element type \(code)")
    }
    return element
  }

  /// This node's operands, with the integers of an attribute of older opsets as operand `index`.
  package func operands(
    adding values: [Int]?, as suffix: String, at index: Int, in graph: inout Graph
  ) -> [ValueID?] {
    guard let values else { return operands }
    var operands = operands
    while operands.count <= index { operands.append(nil) }
    operands[index] = constant(Tensor(vector: values.map { Int64($0) }), suffix, in: &graph)
    return operands
  }
}

// MARK: - Opset 6

extension Importer {
  /// Opset 6 of a broadcasting operator: where `broadcast` is set, operand 1 lines up with the axis that
  /// `axis` names, or with the last one.
  static func aligning<Op: Operator>(_: Op.Type) -> Importer {
    Importer(Op.name, 6...6) { (node, graph) throws(ModelError) in
      let axis: Int? = try node.optional("axis")
      guard try node.flag("broadcast", default: false), let axis else {
        return try node.append(Op(), to: &graph)
      }
      return try node.append(
        Op(), on: node.aligning(operand: 1, to: axis, in: &graph), to: &graph)
    }
  }
}

extension ForeignNode {
  /// The operands, with axes of extent 1 after those of operand `index`, so that its first one stands
  /// at `axis` of operand 0.
  func aligning(
    operand index: Int, to axis: Int, in graph: inout Graph
  ) throws(ModelError) -> [ValueID?] {
    let rank = try graph.fact(try required(0)).dimensions().count
    let own = try graph.fact(try required(index)).dimensions().count
    let trailing = rank - own - (axis < 0 ? axis + rank : axis)
    guard trailing > 0 else { return operands }
    let axes = constant(
      Tensor(vector: (own..<own + trailing).map { Int64($0) }), "axes", in: &graph)
    var operands = operands
    operands[index] = try graph.appendOne(
      Unsqueeze(), named: "\(name).aligned", to: [try required(index), axes], origin: origin)
    return operands
  }
}
