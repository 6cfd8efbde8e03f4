import ModelIR
import TensorCore

/// y = x. ONNX Identity 1–25, and Dropout 7–22 outside training: its mask, where the file names it, is
/// all true.
package struct Identity: Operator {
  package static let name = "Identity"
  package init() {}

  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(1...1)
    return [try inputs.required(0).type]
  }

  package func extents(_ inputs: Operands<Fact>) -> [Dimension]? { inputs.optional(0)?.extents }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    [try inputs.required(0)]
  }
}

extension Identity: RelabellingOperator {
  package func kernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    .alias(of: 0, layout: try request.operands.required(0).layout)
  }
}

extension Identity: SequenceOperator {}

// MARK: - Import

extension Identity: ImportableOperator {
  package static let importers = [
    Importer("Identity", 1...newestOpset) { _ in Identity() },
    // An optional that is there is what it holds; one that is not has no value to be passed on.
    Importer("Optional", 15...newestOpset) { (node, _) throws(ModelError) in
      guard let x = node.operand(0) else {
        throw ModelError(.unsupportedFeature, "ID2: an optional that holds nothing")
      }
      return [x]
    },
    Importer("OptionalGetElement", 15...newestOpset) { (node, _) throws(ModelError) in
      [try node.required(0)]
    },
    Importer("OptionalHasElement", 15...newestOpset) { (node, graph) throws(ModelError) in
      [graph.addConstant(Tensor(scalar: node.operand(0) != nil), named: node.name)]
    },
    Importer("Dropout", 6...newestOpset) { (node, graph) throws(ModelError) in
      node.ignore("ratio", "seed", "is_test")
      try Identity.rejectTraining(node, graph)
      let x = try node.required(0)
      let y = try graph.append(
        Identity(), named: node.name, to: [x], origin: node.origin,
        outputNames: Array(node.outputNames.prefix(1)))
      guard node.outputCount > 1, !node.outputNames[1].isEmpty else { return y }
      let shape = try graph.appendOne(
        ShapeOf(), named: "\(node.name).shape", to: [x], origin: node.origin)
      let mask = try graph.append(
        ConstantOfShape(value: Tensor(vector: [true])), named: "\(node.name).mask", to: [shape],
        origin: node.origin, outputNames: [node.outputNames[1]])
      return y + mask
    },
  ]

  private static func rejectTraining(_ node: ForeignNode, _ graph: Graph) throws(ModelError) {
    guard let mode = node.operand(2) else { return }
    if let constant = graph.constant(mode), constant.integers().allSatisfy({ $0 == 0 }) { return }
    if let ratio = node.operand(1).flatMap({ graph.constant($0) }),
      ratio.doubles().allSatisfy({ $0 == 0 })
    {
      return
    }
    throw ModelError(.unsupportedFeature, "ID1: Dropout in training mode")
  }
}

// MARK: - Gradient

extension Identity: DifferentiableOperator {
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    [try site.gradient()]
  }
}
