import ModelIR
import ModelOperators
import TensorCore

/// A constant that a file stores as integers with scales: the operand of a DequantizeLinear, less its zero
/// points.
struct StoredConstant {
  /// int8, or int32 for a bias.
  let tensor: Tensor
  /// What is left where the integers are outside int8: the constant is the sum of both.
  let rest: Tensor?
  /// One, or one for each index along ``axis``.
  let scales: [Float]
  let axis: Int?

  /// True where `id` is a DequantizeLinear of constants, or the transpose of one.
  static func isStored(_ id: ValueID, in graph: Graph) -> Bool {
    guard var node = graph.producer(of: id) else { return false }
    if node.op is Transpose, let inner = node.inputs[0].flatMap({ graph.producer(of: $0) }) {
      node = inner
    }
    return node.op is DequantizeLinear
      && node.inputs.allSatisfy { $0.map { graph.constant($0) != nil } ?? true }
  }

  /// Nil where `id` is not stored so.
  ///
  /// - Throws: `not-quantizable` for integers that are not int8 without a zero point.
  init?(_ id: ValueID, in graph: Graph) throws(ModelError) {
    guard StoredConstant.isStored(id, in: graph), let node = graph.producer(of: id),
      let first = node.inputs.first ?? nil
    else { return nil }
    if let transpose = node.op as? Transpose {
      guard let inner = try StoredConstant(first, in: graph) else { return nil }
      let order = try transpose.order(rank: inner.tensor.shape.rank)
      tensor = try transpose.reference(Operands([inner.tensor]))[0]
      rest = try inner.rest.map { (rest) throws(ModelError) in
        try transpose.reference(Operands([rest]))[0]
      }
      scales = inner.scales
      axis = inner.axis.flatMap { order.firstIndex(of: $0) }
      return
    }
    guard let op = node.op as? DequantizeLinear, let stored = graph.constant(first),
      let scale = node.inputs[1].flatMap({ graph.constant($0) })
    else { return nil }
    guard op.block == 0 else {
      throw ModelError(.notQuantizable, "its weights have one scale for each block of \(op.block)")
    }
    guard scale.element == .float32, graph.type(id).element == .float32 else {
      throw ModelError(.notQuantizable, "its weights have scales of \(scale.element)")
    }
    scales = scale.floats()
    axis =
      scales.count == 1 ? nil : try Shape.resolve(axis: op.axis, rank: stored.shape.rank)
    let zeros = node.inputs.count > 2 ? node.inputs[2].flatMap { graph.constant($0) } : nil
    (tensor, rest) = try StoredConstant.centered(stored, zeros?.integers() ?? [0], axis: axis)
  }

  /// `stored` less its zero points, as one int8 tensor or the sum of two.
  private static func centered(
    _ stored: Tensor, _ zeros: [Int64], axis: Int?
  ) throws(ModelError) -> (Tensor, Tensor?) {
    let hasZeros = zeros.contains { $0 != 0 }
    if !hasZeros, stored.element == .int8 || stored.element == .int32 { return (stored, nil) }
    guard stored.element.byteCount == 1, stored.element.isInteger else {
      throw ModelError(.notQuantizable, "its weights are stored as \(stored.element)")
    }
    let isSigned = stored.element.isSigned
    let inner = axis.map { stored.shape.count($0 + 1..<stored.shape.rank) } ?? stored.count
    let raw = stored.bytes
    var rests = [Int](repeating: 0, count: stored.count)
    let result = Tensor(
      .int8, stored.shape,
      writing: { target in
        for index in 0..<stored.count {
          let value = isSigned ? Int(Int8(bitPattern: raw[index])) : Int(raw[index])
          let zero = Int(zeros[zeros.count == 1 ? 0 : index / max(inner, 1) % zeros.count])
          let near = min(max(value - zero, -128), 127)
          target[index] = UInt8(bitPattern: Int8(near))
          rests[index] = value - zero - near
        }
      })
    guard rests.contains(where: { $0 != 0 }) else { return (result, nil) }
    guard rests.allSatisfy({ (-128...127).contains($0) }) else { throw asymmetric }
    return (result, Tensor(stored.shape, rests.map { Int8($0) }))
  }

  static let asymmetric = ModelError(
    .notQuantizable,
    "its weights are asymmetric: less their zero point some are outside int8; quantize the model with "
      + "symmetric weights")

  /// The integers as weights with one scale for each index along `channels`.
  ///
  /// - Parameter doubling: the axis of input channels, along which ``rest`` follows where there is one; nil where the
  ///   operand cannot be read twice.
  func weights(channels: Int, doubling: Int?) throws(ModelError) -> Tensor {
    var tensor = tensor
    if let rest {
      guard let doubling, doubling < tensor.shape.rank, doubling != channels else {
        throw StoredConstant.asymmetric
      }
      tensor = try Concat(axis: doubling).reference(Operands([tensor, rest]))[0]
    }
    guard tensor.element == .int8 else {
      throw ModelError(.notQuantizable, "its weights are stored as \(tensor.element)")
    }
    guard channels < tensor.shape.rank, axis == nil || axis == channels else {
      throw ModelError(
        .notQuantizable,
        "its weights have scales along axis \(axis ?? 0), not along the output channels, axis "
          + "\(channels)")
    }
    let all =
      axis == nil ? [Float](repeating: scales[0], count: tensor.shape[channels]) : scales
    return tensor.reading(as: QuantizationParameters(perChannel: all, axis: channels))
  }

  /// The integers as a bias of the scales `expected`; nil where the stored scales are others.
  func bias(expected: [Float]) throws(ModelError) -> Tensor? {
    guard tensor.element == .int32, tensor.count == expected.count else { return nil }
    for (channel, right) in expected.enumerated() {
      let own = scales[scales.count == 1 ? 0 : channel]
      guard abs(own - right) <= right * 0x1p-20 else { return nil }
    }
    return try tensor.reshaped(to: try Shape([expected.count]))
      .reading(as: QuantizationParameters(perChannel: expected, axis: 0))
  }
}
