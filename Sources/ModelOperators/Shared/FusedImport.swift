import ModelIR
import TensorCore

/// What onnxruntime's optimizer fuses in the domain com.microsoft, in Maquette's operators.
extension ForeignNode {
  /// The activation that `kind` names, with the parameters that the node gives it.
  fileprivate func activated(
    _ value: ValueID, _ activation: String, _ parameters: [Float], in graph: inout Graph
  ) throws(ModelError) -> [ValueID] {
    func parameter(_ index: Int, _ standard: Float) -> Float {
      index < parameters.count ? parameters[index] : standard
    }
    switch activation {
    case "Relu": return try append(Relu(), on: [value], to: &graph)
    case "Tanh": return try append(Tanh(), on: [value], to: &graph)
    case "Sigmoid": return try append(Sigmoid(), on: [value], to: &graph)
    case "LeakyRelu":
      return try append(LeakyRelu(alpha: parameter(0, 0.01)), on: [value], to: &graph)
    case "HardSigmoid":
      let op = HardSigmoid(alpha: parameter(0, 0.2), beta: parameter(1, 0.5))
      return try append(op, on: [value], to: &graph)
    case "Clip":
      let lower = constant(Tensor(scalar: parameter(0, -.infinity)), "lower", in: &graph)
      let upper = constant(Tensor(scalar: parameter(1, .infinity)), "upper", in: &graph)
      return try append(Clip(), on: [value, lower, upper], to: &graph)
    default:
      throw ModelError(
        .unsupportedFeature, "\(kind) with the activation '\(activation)', which is not read")
    }
  }

  /// Operand `index` with its last two axes exchanged where `isTransposed`.
  fileprivate func matrix(
    _ index: Int, transposed isTransposed: Bool, in graph: inout Graph
  ) throws(ModelError) -> ValueID {
    let id = try required(index)
    guard isTransposed else { return id }
    guard let rank = graph.type(id).rank, rank >= 2 else {
      throw ModelError(.unknownShape, "\(kind): operand \(index) is no matrix of a known rank")
    }
    let order = Array(0..<rank - 2) + [rank - 1, rank - 2]
    return try graph.appendOne(
      Transpose(order), named: "\(name).operand\(index)", to: [id], origin: origin)
  }

  /// The sum of the operands at `indices` that are there.
  fileprivate func sum(
    _ indices: [Int], named suffix: String, outputName: String = "", in graph: inout Graph
  ) throws(ModelError) -> ValueID {
    var total = try required(indices[0])
    let others = indices.dropFirst().compactMap { operand($0) }
    for (place, id) in others.enumerated() {
      let isLast = place == others.count - 1
      total = try graph.append(
        Add(), named: isLast ? "\(name).\(suffix)" : "\(name).\(suffix).\(place)",
        to: [total, id], origin: origin, outputNames: isLast ? [outputName] : [])[0]
    }
    return total
  }
}

extension Convolution {
  /// com.microsoft FusedConv 1: a convolution, its residual, its activation.
  static let fusedImporters = [
    Importer("FusedConv", domain: "com.microsoft", 1...1) { (node, graph) throws(ModelError) in
      try node.checkKernelShape(of: node.required(1), in: graph)
      let op = Convolution(
        groups: try node.attribute("group", default: 1), window: try Window(importing: node))
      let activation = try node.attribute("activation", default: "")
      let parameters = try node.attribute("activation_params", default: [Float]())
      var operands = [node.operand(0), node.operand(1), node.operand(2)]
      if operands[2] == nil { operands.removeLast() }
      var y = try graph.appendOne(
        op, named: "\(node.name).sums", to: operands, origin: node.origin)
      if let residual = node.operand(3) {
        y = try graph.appendOne(
          Add(), named: "\(node.name).residual", to: [y, residual], origin: node.origin)
      }
      guard !activation.isEmpty else { return [y] }
      return try node.activated(y, activation, parameters, in: &graph)
    }
  ]
}

extension Gemm {
  /// com.microsoft FusedGemm 1: a Gemm and its activation.
  static let fusedImporters = [
    Importer("FusedGemm", domain: "com.microsoft", 1...1) { (node, graph) throws(ModelError) in
      var op = Gemm()
      op.transposeA = try node.flag("transA", default: false)
      op.transposeB = try node.flag("transB", default: false)
      op.alpha = try node.attribute("alpha", default: Float(1))
      op.beta = try node.attribute("beta", default: Float(1))
      let activation = try node.attribute("activation", default: "")
      var parameters: [Float] = []
      for name in ["activation_alpha", "activation_beta", "activation_gamma"] {
        if let value = try node.optional(name, as: Float.self) { parameters.append(value) }
      }
      guard !activation.isEmpty else { return try node.append(op, to: &graph) }
      let y = try graph.appendOne(
        op, named: "\(node.name).sums", to: node.operands, origin: node.origin)
      return try node.activated(y, activation, parameters, in: &graph)
    }
  ]
}

extension MatMul {
  /// com.microsoft FusedMatMul 1: α · A · B, each perhaps transposed.
  static let fusedImporters = [
    Importer("FusedMatMul", domain: "com.microsoft", 1...1) { (node, graph) throws(ModelError) in
      for name in ["transBatchA", "transBatchB"] where try node.flag(name, default: false) {
        throw ModelError(
          .unsupportedFeature, "FusedMatMul whose batch axes move (\(name)) is not read")
      }
      let a = try node.matrix(0, transposed: node.flag("transA", default: false), in: &graph)
      let b = try node.matrix(1, transposed: node.flag("transB", default: false), in: &graph)
      let alpha = try node.attribute("alpha", default: Float(1))
      guard alpha != 1 else { return try node.append(MatMul(), on: [a, b], to: &graph) }
      let product = try graph.appendOne(
        MatMul(), named: "\(node.name).product", to: [a, b], origin: node.origin)
      let factor = Tensor.filled(graph.type(product).element, .scalar, with: Double(alpha))
      return try node.append(
        Mul(), on: [product, node.constant(factor, "alpha", in: &graph)], to: &graph)
    }
  ]
}

extension Gelu {
  /// com.microsoft Gelu 1, BiasGelu 1 and FastGelu 1.
  static let fusedImporters = [
    Importer("Gelu", domain: "com.microsoft", 1...1) { _ in Gelu() },
    Importer("BiasGelu", domain: "com.microsoft", 1...1) { (node, graph) throws(ModelError) in
      _ = try node.required(1)
      let sum = try node.sum([0, 1], named: "sum", in: &graph)
      return try node.append(Gelu(), on: [sum], to: &graph)
    },
    Importer("FastGelu", domain: "com.microsoft", 1...1) { (node, graph) throws(ModelError) in
      let sum = try node.sum([0, 1], named: "sum", in: &graph)
      return try node.append(Gelu(.tanh), on: [sum], to: &graph)
    },
  ]
}

extension Swish {
  /// com.microsoft QuickGelu 1: x · sigmoid(α · x).
  static let fusedImporters = [
    Importer("QuickGelu", domain: "com.microsoft", 1...1) { node throws(ModelError) in
      Swish(alpha: try node.attribute("alpha", default: Float(1.702)))
    }
  ]
}

extension LayerNormalization {
  /// com.microsoft SkipLayerNormalization 1: operands X, skip, γ, β?, bias?; output 3 is the sum that is
  /// normalised.
  static let fusedImporters = [
    Importer("SkipLayerNormalization", domain: "com.microsoft", 1...1) {
      (node, graph) throws(ModelError) in
      let epsilon = try node.attribute("epsilon", default: Float(1e-12))
      let sum = try node.normalizedSum(bias: 4, in: &graph)
      let op = LayerNormalization(axis: -1, epsilon: epsilon)
      var operands: [ValueID?] = [sum, try node.required(2), node.operand(3)]
      if operands[2] == nil { operands.removeLast() }
      let y = try node.append(op, on: operands, to: &graph)
      return node.outputCount > 3 ? [y[0], y[0], y[0], sum] : y
    }
  ]
}

extension RMSNormalization {
  /// com.microsoft SkipSimplifiedLayerNormalization 1: operands X, skip, γ, bias?; output 3 is the sum that is
  /// normalised. SimplifiedLayerNormalization, which onnxruntime adds to ONNX's own domain.
  static let fusedImporters = [
    Importer("SkipSimplifiedLayerNormalization", domain: "com.microsoft", 1...1) {
      (node, graph) throws(ModelError) in
      let epsilon = try node.attribute("epsilon", default: Float(1e-12))
      let sum = try node.normalizedSum(bias: 3, in: &graph)
      let op = RMSNormalization(axis: -1, epsilon: epsilon)
      let y = try node.append(op, on: [sum, try node.required(2)], to: &graph)
      return node.outputCount > 3 ? [y[0], y[0], y[0], sum] : y
    },
    Importer("SimplifiedLayerNormalization", 1...newestOpset) { node throws(ModelError) in
      node.ignore("stash_type")
      return RMSNormalization(
        axis: try node.attribute("axis", default: -1),
        epsilon: try node.attribute("epsilon", default: Float(1e-5)))
    },
  ]
}

extension ForeignNode {
  /// The sum of X, skip and operand `bias`.
  ///
  /// - Throws: `unsupported-feature` where the file reads mean or deviation, outputs 1 and 2.
  fileprivate func normalizedSum(
    bias: Int, in graph: inout Graph
  ) throws(ModelError) -> ValueID {
    for (index, output) in outputNames.enumerated() where index == 1 || index == 2 {
      guard output.isEmpty else {
        throw ModelError(
          .unsupportedFeature, "\(kind) with its statistics, output '\(output)'")
      }
    }
    _ = try required(1)
    return try sum(
      [0, 1, bias], named: "sum", outputName: outputCount > 3 ? outputNames[3] : "", in: &graph)
  }
}
