import ModelIR
import ModelOperators
import TensorCore

/// Integer layers whose scale and bias of each channel can adapt.
extension Graph {
  /// Names of the parameters of a layer with this weight: a factor of each channel's scale, 1 to begin with,
  /// and what is added to its bias, 0 to begin with.
  package static func lightParameters(of weight: String) -> (scale: String, bias: String) {
    ("\(weight).scale", "\(weight).bias")
  }

  /// The graph on real numbers: integers become what they stand for, and the layers with these weights multiply
  /// and add the constants that ``lightParameters(of:)`` names.
  package func lightForm(of weights: Set<String>) throws(ModelError) -> Graph {
    var real: [ValueID: Tensor] = [:]
    for index in values.indices { real[id(at: index)] = values[index].fact.constant?.dequantized() }
    return try rebuilt(inputTypes: inputs.map { type($0.value).logical }, constants: real) {
      (node, given, new) throws(ModelError) in
      var operands = given
      if node.op is Quantize || node.op is Dequantize, let same = operands[0] { return [same] }
      if operands.count > 1, let weight = node.inputs[1], weights.contains(self[weight].name),
        let channels = constant(weight)?.quantization.map(\.scales.count)
      {
        try new.addLightParameters(self[weight].name, channels, to: &operands, of: node)
      }
      return try new.append(
        node.op, named: node.name, to: operands, origin: node.origin,
        outputNames: node.outputs.map { self[$0].name })
    }
  }

  private mutating func addLightParameters(
    _ weight: String, _ channels: Int, to operands: inout [ValueID?], of node: Node
  ) throws(ModelError) {
    let names = Graph.lightParameters(of: weight)
    guard let given = operands[1], let shape = type(given).shape else { return }
    let line = try Shape([channels] + [Int](repeating: 1, count: shape.rank - 1))
    let scale = addConstant(.filled(.float32, line, with: 1), named: names.scale)
    let bias = addConstant(.filled(.float32, try Shape([channels]), with: 0), named: names.bias)
    operands[1] = try appendOne(
      Mul(), named: "\(node.name).scaled", to: [given, scale], origin: node.origin)
    if operands.count > 2, let own = operands[2] {
      operands[2] = try appendOne(
        Add(), named: "\(node.name).shifted", to: [own, bias], origin: node.origin)
    } else if operands.count > 2 {
      operands[2] = bias
    } else {
      operands.append(bias)
    }
  }

  /// The integer graph with layers whose parameters are those of ``lightForm(of:)``: other scales, and biases
  /// rounded to them.
  ///
  /// - Throws: `not-quantizable` for scales that are not above 0; `malformed-input` for parameters of no layer.
  package func withLightParameters(_ given: [String: Tensor]) throws(ModelError) -> Graph {
    var changed: [ValueID: Tensor] = [:]
    var unknown = Set(given.keys)
    for node in nodes where node.inputs.count > 1 {
      guard let weight = node.inputs[1], let own = constant(weight),
        let parameters = own.quantization, let axis = parameters.axis
      else { continue }
      let names = Graph.lightParameters(of: self[weight].name)
      guard let factors = given[names.scale]?.floats(), let shifts = given[names.bias]?.floats(),
        factors.count == parameters.scales.count, shifts.count == factors.count
      else { continue }
      unknown.subtract([names.scale, names.bias])
      let scales = zip(parameters.scales, factors).map { $0 * $1 }
      guard scales.allSatisfy({ $0 > 0 && $0.isFinite }) else {
        throw ModelError(.notQuantizable, "Q5: an adapted scale is not above 0")
      }
      changed[weight] = own.reading(
        as: QuantizationParameters(perChannel: scales, axis: axis))
      guard node.inputs.count > 2, let bias = node.inputs[2], let old = constant(bias),
        let input = node.inputs[0].flatMap({ type($0).quantization })
      else { throw ModelError(.notQuantizable, "Q10: '\(node.name)' has no bias to adapt") }
      let steps = scales.map { input.scale * $0 }
      let sums = zip(zip(old.dequantized().doubles(), shifts), steps).map { item, step in
        let sum = ((item.0 + Double(item.1)) / Double(step)).rounded(.toNearestOrEven)
        return Int32(min(max(sum, -0x1p30), 0x1p30))
      }
      changed[bias] = Tensor(
        old.shape, sums,
        quantization: QuantizationParameters(perChannel: steps, axis: 0))
    }
    if let name = unknown.min() {
      throw ModelError(.malformedInput, "B44: no layer has '\(name)'")
    }
    return try replacing(changed)
  }

  /// The same graph with other constants.
  package func replacing(_ constants: [ValueID: Tensor]) throws(ModelError) -> Graph {
    try rebuilt(constants: constants) { (_, _, _) throws(ModelError) in nil }
  }
}
