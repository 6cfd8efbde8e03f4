import ModelIR
import ModelOperators
import TensorCore

/// The ONNX node that means one operator: the same kind on the same operands.
///
/// A form counts only if the operator's own importer reads the same operator back from it, so that an
/// export cannot drift from the import.
struct ForeignForm {
  let kind: String
  let attributes: [OnnxAttribute]

  /// The oldest opset from `opset` on that knows the operator on these operands; nil where none does.
  static func version(of op: any Operator, on operands: [Fact?], from opset: Int) -> Int? {
    let kind = type(of: op).name
    let least = max(opset, latecomer(op, operands))
    return (least...newestOpset).first { version in
      (try? ImporterIndex.all.importer(kind, domain: "", version: version, node: "")) != nil
    }
  }

  /// The opset that brought what this application of an older kind makes use of.
  private static func latecomer(_ op: any Operator, _ operands: [Fact?]) -> Int {
    let element = operands.first??.element
    return switch op {
    case let op as Attention where op.leftWindow >= 0 || op.rightWindow >= 0: 25
    case is Attention where operands.count > 6: 24
    case let op as Mod where !op.truncates && element?.isFloatingPoint == true: 28
    case let op as QuantizeLinear where op.precision != nil: 23
    case let op as DequantizeLinear where op.element != nil: 23
    case is NumericRange where element?.byteCount == 2: 27
    case let op as SpaceToDepth where op.mode == .columnFirst: 28
    case is RoiAlign: 16
    case is Celu where element != .float32: 28
    case is BitShift where element?.isSigned == true: 28
    case is TopK where element == .bfloat16: 24
    case is Compress where element == .bfloat16, is Einsum where element == .bfloat16: 28
    case is ReverseSequence where element == .bfloat16, is Unique where element == .bfloat16: 28
    default: element == .bfloat16 ? 22 : 0
    }
  }

  /// - Parameters:
  ///   - operands: the operands' facts in real numbers.
  /// - Throws: `unsupported-operator` where ONNX has no such node in `opset`.
  init(
    _ op: any Operator, operands: [Fact?], outputCount: Int, opset: Int, named name: String
  ) throws(ModelError) {
    kind = type(of: op).name
    let extra = ForeignForm.derivedAttributes(op, operands)
    // Attributes that have their default stay out, unless the node then means something else.
    let candidates = [
      ForeignForm.attributes(of: op, all: false), ForeignForm.attributes(of: op, all: true),
    ]
    for candidate in candidates {
      let attributes = candidate + extra
      if ForeignForm.isRead(
        attributes, as: op, operands: operands, outputCount: outputCount, opset: opset)
      {
        self.attributes = attributes.map { OnnxAttribute(name: $0.name, content: .value($0.value)) }
        return
      }
    }
    throw ModelError(
      .unsupportedOperator,
      "node '\(name)': \(kind) with \(ForeignForm.described(op)) has no form in ONNX opset \(opset); "
        + "export the graph from before the pass that made it")
  }

  private static func described(_ op: any Operator) -> String {
    op.attributes.map { "\($0.name) \($0.value)" }.joined(separator: ", ")
  }

  /// Attributes under ONNX's names, all of them or those that differ from their defaults; no graphs.
  static func attributes(
    of op: any Operator, all: Bool
  ) -> [(name: String, value: Attribute)] {
    let defaults = type(of: op).init().attributes
    let kind = type(of: op).name
    var attributes: [(name: String, value: Attribute)] = []
    for (field, standard) in zip(op.attributes, defaults) {
      guard all || field.value != standard.value,
        let name = AttributeNames.name(of: field.name, of: kind),
        let value = AttributeNames.value(field.value, of: field.name, of: kind)
      else { continue }
      attributes.append((name, value))
    }
    return attributes
  }

  /// Attributes that repeat what the operands say and that readers ask for nevertheless.
  private static func derivedAttributes(
    _ op: any Operator, _ operands: [Fact?]
  ) -> [(name: String, value: Attribute)] {
    if op is any RecurrentOperator, operands.count > 2,
      let hidden = operands[2]?.type.dimensions?.last?.value
    {
      return [("hidden_size", .integer(hidden))]
    }
    if let split = op as? Split, operands.count < 2 || operands[1] == nil {
      return [("num_outputs", .integer(split.outputCount))]
    }
    if let attention = op as? LinearAttention {
      let rules = [["linear", "delta"], ["gated", "gated_delta"]]
      let rule = rules[attention.gated ? 1 : 0][attention.corrected ? 1 : 0]
      return [("update_rule", .string(rule))]
    }
    if let pool = op as? MaxRoiPool {
      return [("pooled_shape", .integers([pool.height, pool.width]))]
    }
    return []
  }

  /// Whether importing the node gives the operator on the same operands.
  private static func isRead(
    _ attributes: [(name: String, value: Attribute)], as op: any Operator, operands: [Fact?],
    outputCount: Int, opset: Int
  ) -> Bool {
    let kind = type(of: op).name
    var graph = Graph()
    var ids: [ValueID?] = []
    for (index, fact) in operands.enumerated() {
      if let constant = fact?.constant {
        ids.append(graph.addConstant(constant, named: "c\(index)"))
      } else if let fact {
        guard let id = try? graph.addInput("i\(index)", fact.type) else { return false }
        ids.append(id)
      } else {
        ids.append(nil)
      }
    }
    let node = ForeignNode(
      name: "node", kind: kind, domain: "", version: opset, operands: ids,
      outputNames: (0..<outputCount).map { "o\($0)" }, origin: "",
      attributes: Dictionary(attributes.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 }))
    guard
      let importer = try? ImporterIndex.all.importer(
        kind, domain: "", version: opset, node: ""),
      (try? importer.append(node, &graph)) != nil
    else { return false }
    return node.unreadAttributes.isEmpty && graph.nodes.count == 1
      && graph.nodes[0].op.isEqual(to: op) && graph.nodes[0].inputs == ids
  }
}
